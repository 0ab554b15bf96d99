"""From what was found to one root cause.

What is there at the first step outranks what comes later. Among the rest what lies upstream in the
flow of the fault outranks what lies downstream, in the order of `ORDER`; and where one finding
explains another, the other is its symptom.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from undertow.diagnosis.evidence import Evidence
from undertow.diagnosis.rule import Found

ORDER = (
    "UT109",  # identical units
    "UT108",  # no gradient
    "UT110",  # dead units
    "UT103",
    "UT104",  # saturated units
    "UT111",  # unscaled inputs
    "UT112",  # batch statistics
    "UT113",  # initialisation
    "UT101",  # vanishing and exploding as such
    "UT102",
    "UT107",  # step size
    "UT114",
    "UT106",
    "UT105",
)
# Cause -> its symptoms, whatever the order says.
EXPLAINS = {
    "UT110": ("UT108", "UT101"),
    "UT112": ("UT102",),
    "UT109": ("UT101", "UT102"),
}
# What steps that are too large do to units, once they have been made.
BY_STEPS = ("UT101", "UT102", "UT103", "UT104", "UT108")
NORMAL = 5.0  # times its inputs: pre-activations so large are the inputs' doing, not the weights'


def roots(found: Mapping[str, Found], reading: Evidence) -> list[str | None]:
    """Return the code of each replicate's root cause; None where nothing was found."""
    return [_root(found, reading, r) for r in range(reading.replicates)]


def majority(roots: list[str | None]) -> tuple[str | None, bool]:
    """Return the root of most replicates, and whether it is one of several with as many.

    >>> majority(["UT101", "UT101", None]), majority(["UT101", None])
    (('UT101', False), ('UT101', True))
    """
    ranked = Counter(roots).most_common()
    best = max(count for _, count in ranked)
    first = [code for code, count in ranked if count == best]
    return first[0], len(first) > 1


def _root(found: Mapping[str, Found], reading: Evidence, r: int) -> str | None:
    here = {code: each for code, each in found.items() if each.where[r]}
    if not here:
        return None
    symptoms = {
        symptom
        for code in here
        for symptom in EXPLAINS.get(code, ())
        # What came later explains nothing that was there before.
        if symptom in here and here[code].at_start[r] >= here[symptom].at_start[r]
    }
    if "UT114" in here:
        symptoms.add("UT106")  # the same steps, and what becomes of them
    symptoms |= _by_inputs(here, reading, r) | _by_steps(here, r)
    left = [code for code in here if code not in symptoms] or list(here)
    return min(left, key=lambda code: (not here[code].at_start[r], ORDER.index(code)))


def _by_inputs(here: Mapping[str, Found], reading: Evidence, r: int) -> set[str]:
    """Return what inputs of a wrong size do to the units of the first layer and those behind it."""
    if "UT111" not in here or not reading.has("preactivation_rms"):
        return set()
    first = int(np.flatnonzero(reading.matrix)[0])
    size = reading.start("preactivation_rms")[r, first] / reading.start("input_rms")[r]
    return {"UT103", "UT104", "UT110"} if size < NORMAL else set()


def _by_steps(here: Mapping[str, Found], r: int) -> set[str]:
    if "UT106" not in here and "UT114" not in here:
        return set()
    return {code for code in BY_STEPS if code in here and not here[code].at_start[r]}
