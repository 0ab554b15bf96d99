"""From what was found to one root cause.

What is there at the first step outranks what comes later. Among the rest what lies upstream in the
flow of the fault outranks what lies downstream, as each rule declares in `before`; and where one
finding explains another, the other is its symptom.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

from undertow.diagnosis.evidence import Evidence
from undertow.diagnosis.rule import Found, Rule
from undertow.diagnosis.rules import RULES
from undertow.errors import UndertowError

# What steps that are too large do to units, once they have been made.
BY_STEPS = ("UT101", "UT102", "UT103", "UT104", "UT108")
NORMAL = 5.0  # times its inputs: pre-activations so large are the inputs' doing, not the weights'


def in_order(rules: Iterable[Rule]) -> tuple[str, ...]:
    """Return the codes of rules, the most upstream first.

    >>> check = lambda evidence: None
    >>> chain = [Rule("B", "", "", (), check), Rule("A", "", "", (), check, before=("B",))]
    >>> in_order([*chain, Rule("C", "", "", (), check, before=("B",))])
    ('A', 'C', 'B')

    A rule stands directly before the first of those that it comes before.

    Raises
    ------
    UndertowError
        Rules that come before one another in a circle.
    """
    left = {rule.code: set(rule.before) for rule in rules}
    found: list[str] = []
    while left:
        # From the end: of those that come before nothing that is left, the highest code.
        last = max((code for code, after in left.items() if not after & left.keys()), default=None)
        if last is None:
            raise UndertowError(f"rules {', '.join(sorted(left))}: each comes before another")
        del left[last]
        found.append(last)
    return tuple(reversed(found))


ORDER = in_order(RULES)
EXPLAINS = {rule.code: rule.explains for rule in RULES if rule.explains}


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
