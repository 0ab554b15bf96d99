"""UT114: the loss grows, in a network that was healthy at the start: the step is too large."""

from __future__ import annotations

import numpy as np

from undertow.diagnosis.course import median
from undertow.diagnosis.evidence import Evidence
from undertow.diagnosis.rule import NotMeasured, Outcome, Passed, Rule, make_found, nowhere
from undertow.diagnosis.shared_thresholds import LARGE_UPDATE
from undertow.diagnosis.threshold import Threshold

GROWN = Threshold(
    "grown",
    3.0,
    "times the first loss",
    "A loss that grows so far diverges.",
    gt=1,
    place=23,
)

BLOWN = 100.0  # times its first size, a gradient before a NaN tells of steps that were too large


def check(reading: Evidence) -> Outcome:
    """Compare the last finite losses with the first."""
    loss = reading.loss
    if loss.shape[1] < 2:
        return NotMeasured("fewer than two losses were logged")
    first = loss[:, 0]
    finite = np.where(np.isfinite(loss), loss, -np.inf)
    with np.errstate(all="ignore"):
        worst = finite.max(1) / np.abs(first)
        late = median(loss[:, -max(2, loss.shape[1] // 5) :], 1) / np.abs(first)
        grows = (late > reading.limit(GROWN)) & (first != 0)
    grew = _grew(reading) & ~reading.fell_before_it_broke
    broken = (reading.broke_at > 0) & (grew | (worst > reading.limit(GROWN)))
    where = (grows | broken) & np.isfinite(first)
    if not where.any():
        return Passed("the loss does not grow")
    size = float(np.fmax.reduce(worst[where]))
    evidence = f"the loss grows to {size:.3g} times its first value"
    if broken.any():
        evidence += f", and is no number from step {reading.broke_at[broken].min()} on"
    return make_found(where, nowhere(reading), False, evidence)


def _grew(reading: Evidence) -> np.ndarray:
    """Tell where weights moved too far or gradients grew before a NaN came, [R]."""
    ratio = np.where(reading.matrix, reading.update_at_start(), np.nan)
    with np.errstate(invalid="ignore"):
        found_ = median(ratio, 1) > reading.limit(LARGE_UPDATE)
    if reading.has("grad_norm"):
        grad = np.where(np.isfinite(reading.array("grad_norm")), reading.array("grad_norm"), np.nan)
        with np.errstate(all="ignore"):
            largest = np.fmax.reduce(grad, 1)
            found_ |= (largest > BLOWN * reading.birth("grad_norm")).any(1)
    return found_


RULE = Rule(
    "UT114",
    "loss diverging from step size alone",
    "critical",
    ("loss",),
    check,
    before=("UT106",),
    remedies=("learning-rate-down", "warm-up", "gradient-clip"),
)
