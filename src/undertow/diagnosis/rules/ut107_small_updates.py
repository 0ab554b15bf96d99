"""UT107: updates are so small that nothing is learned, or some weights get none."""

from __future__ import annotations

import numpy as np

from undertow.diagnosis.course import median
from undertow.diagnosis.evidence import Evidence
from undertow.diagnosis.rule import Outcome, Passed, Rule, make_found, middle
from undertow.diagnosis.shared_thresholds import FALLEN, HALF_FALLEN
from undertow.diagnosis.threshold import Threshold

SMALL_UPDATE = Threshold(
    "small_update",
    1e-5,
    "of the weight's norm, a step",
    "At this rate a weight takes 100,000 steps to become another.",
    gt=0,
    place=14,
)

FEW = 10  # steps


def check(reading: Evidence) -> Outcome:
    """Look at the first steps: a network that has converged makes small steps rightly."""
    ratio = np.where(reading.matrix & reading.trainable, reading.update_at_start(), np.nan)
    typical, largest = median(ratio, 1), _largest(ratio)
    limit, idle = reading.limit(SMALL_UPDATE), reading.idle
    with np.errstate(invalid="ignore"):
        # In few steps so little happens that nothing else has to be seen.
        short = (reading.passed >= FEW) & ~(reading.fall >= reading.limit(FALLEN))
        small = (largest < limit) & (idle | short)
    left_out = _left_out(reading)
    with np.errstate(invalid="ignore"):
        most = left_out[:, reading.hidden].mean(1) > 0.5 if reading.hidden.any() else idle
        left_out &= (idle | (most & ~(reading.fall >= reading.limit(HALF_FALLEN))))[:, None]
    where = small | left_out.any(1)
    if not where.any():
        return Passed(
            f"a step changes a weight by {100 * middle(typical, ~np.isnan(typical)):.2g} %"
        )
    if left_out.any():
        listed = reading.listed(left_out.any(0))
        evidence = f"gradients come to {listed}, but no optimizer moves them"
        return make_found(where, left_out | (reading.matrix & small[:, None]), True, evidence)
    share = middle(largest, where)
    moved = f"no weight changes by more than {share:.1g} of its norm a step"
    moved = moved if share > 0 else "no weight changes at all"
    evidence = f"{moved}, and in {reading.passed} steps the loss has not fallen"
    return make_found(where, np.broadcast_to(reading.matrix, ratio.shape), True, evidence)


def _left_out(reading: Evidence) -> np.ndarray:
    """Mark weights that get a gradient and are never changed, while others are, [R, L]."""
    change, grad = reading.array("update_norm"), reading.array("grad_norm")
    with np.errstate(invalid="ignore"):
        moves = ((change > 0) | _is_nan(reading, change)).any(1)
        gets = (grad > 0).any(1)
    may = reading.matrix & reading.trainable
    left = ~moves & gets & may
    return left & (moves & may).any(1)[:, None]


def _is_nan(reading: Evidence, change: np.ndarray) -> np.ndarray:
    """Tell the changes that are missing because they are NaN, and not because nobody looked."""
    return np.isnan(change) & (reading.array_or_zero("nonfinite") > 0).any(-1, keepdims=True)


def _largest(ratio: np.ndarray) -> np.ndarray:
    known = np.where(np.isnan(ratio), -np.inf, ratio).max(1, initial=-np.inf)
    return np.where(np.isfinite(known), known, np.nan)


def remedies(_: Evidence, found: str) -> tuple[str, ...]:
    """Tell weights that no optimizer has from a step that is too small."""
    return ("give-to-optimizer",) if "no optimizer" in found else ("learning-rate-up",)


RULE = Rule(
    "UT107",
    "updates too small",
    "serious",
    ("update_norm", "weight_norm", "grad_norm"),
    check,
    before=("UT114",),
    remedies=remedies,
)
