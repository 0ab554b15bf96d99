"""UT108: no gradient comes to a layer at all: frozen, detached or unused."""

from __future__ import annotations

import numpy as np

from undertow.diagnosis.evidence import Evidence
from undertow.diagnosis.flat_ends import saturates
from undertow.diagnosis.outside_training import frozen_on_purpose, unused
from undertow.diagnosis.rule import NotMeasured, Outcome, Passed, Rule, make_found


def check(reading: Evidence) -> Outcome:
    """Look for layers that never got a gradient, while others did."""
    grad = reading.array("grad_norm")
    may = reading.matrix
    with np.errstate(invalid="ignore"):
        got = ((grad > 0) | (reading.array_or_zero("nonfinite") > 0)).any(1)
    # A layer that is not there yet, or was not recorded, is no layer without a gradient.
    zero = (grad == 0).any(1)
    if not ((got | zero) & may).any():
        return NotMeasured("no layer's gradient was recorded")
    never = ~got & may & ((got | zero) & may).any(1)[:, None]
    absent = np.isnan(grad).all(1)
    if reading.trace.source != "watched":
        never &= zero
    if len(reading.steps) == 1:  # what starts at 0, a branch or an output, passes nothing on yet
        never &= absent
    never &= ~(zero & reading.underflows[:, None])
    never &= ~_beside(reading, got)
    never &= ~(zero & _flat_throughout(reading)[:, None])
    never &= ~(unused(reading) | frozen_on_purpose(reading))
    where = never.any(1)
    if not where.any():
        return Passed("every layer gets a gradient")
    places = np.flatnonzero(never.any(0))
    kinds = {_why(reading, place, absent[:, place].all()) for place in places}
    evidence = f"{reading.listed(never.any(0))}: {'; '.join(sorted(kinds))}"
    return make_found(where, never, True, evidence)


def _flat_throughout(reading: Evidence) -> np.ndarray:
    """Tell where a layer is so saturated that its slopes are 0 by round-off, [R]."""
    if not reading.has("saturated_fraction"):
        return np.zeros(reading.replicates, bool)
    flat = np.array([saturates(each) for each in reading.activations])
    return ((reading.birth("saturated_fraction") >= 1.0) & flat & reading.hidden).any(1)


def _beside(reading: Evidence, got: np.ndarray) -> np.ndarray:
    """Mark the weights whose module has another that gets a gradient, [R, L].

    A recurrent layer of which the first state alone is read does not use all of its own.
    """
    modules = [name.partition(".weight")[0] for name in reading.names]
    found_ = np.zeros_like(got)
    for place, module in enumerate(modules):
        others = [i for i, other in enumerate(modules) if other == module and i != place]
        found_[:, place] = got[:, others].any(1)
    return found_


def _why(reading: Evidence, place: int, absent: bool) -> str:
    if not reading.trainable[place]:
        return "frozen (requires_grad is False)"
    return "detached from the loss, or not used" if absent else "the gradient is exactly 0"


def remedies(_: Evidence, found: str) -> tuple[str, ...]:
    """Tell a frozen layer from one that is cut off."""
    return ("unfreeze",) if "frozen" in found else ("reattach",)


RULE = Rule(
    "UT108",
    "no gradient at all",
    "critical",
    ("grad_norm",),
    check,
    before=("UT110",),
    remedies=remedies,
)
