"""Healthy, sick or undecided: what the outcomes of all rules come to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from undertow.diagnosis.evidence import Evidence
from undertow.diagnosis.rule import NotMeasured, Outcome
from undertow.diagnosis.shared_thresholds import (
    DOUBTFUL,
    DOUBTFUL_LAYER,
    FALLEN,
    STEPS,
    VANISHING_IDLE,
)

ESSENTIAL = ("UT101", "UT102")  # without either nobody knows whether the gradient arrives
PATIENCE = 100  # steps without progress after which a healthy verdict says so


def verdict(
    reading: Evidence, outcomes: Mapping[str, Outcome], code: str | None, *, is_tied: bool
) -> tuple[str, str]:
    """Return healthy, sick or undecided, and the reason where one has to be given."""
    if is_tied:
        return "undecided", "as many replicates say one thing as another"
    if code:
        return "sick", ""
    unknown = [each for code in ESSENTIAL if isinstance(each := outcomes[code], NotMeasured)]
    if len(unknown) == len(ESSENTIAL):
        return "undecided", f"of the deltas nothing is known: {unknown[0].reason}"
    if _is_doubtful(reading):
        dex = float(np.nanmedian(reading.total))
        return "undecided", (
            f"the first step shows {dex:+.1f} dex, which some networks learn with and some do not: "
            "watch a longer training"
        )
    one = len(reading.steps) == 1 and reading.replicates > 0
    if one and reading.has("grad_norm") and _begins_at_0(reading):
        return "undecided", (
            "in the only step that is recorded some layers' gradients are exactly 0, as behind "
            "layers that begin at 0: watch a training"
        )
    if reading.passed >= PATIENCE and float(np.mean(reading.idle)) > 0.5:
        # A network that has converged, or has nothing to learn: the gradient is not the reason.
        return "healthy", (
            f"in {reading.passed} steps the loss has not fallen, but no rule finds a reason in the "
            "gradient"
        )
    return "healthy", ""


def _begins_at_0(reading: Evidence) -> bool:
    begins = ((reading.birth("grad_norm") == 0) & reading.matrix).any(1)
    return float(begins.mean()) > 0.5


def _is_doubtful(reading: Evidence) -> bool:
    """Tell whether few steps without progress leave it open if a gradient has vanished."""
    if reading.passed >= reading.limit(STEPS) or not reading.replicates:
        return False
    doubtful = np.zeros(reading.replicates, bool)
    for tower in reading.towers:
        known = (tower.hidden & np.isfinite(tower.log_delta)).sum(1)
        steep = tower.total < reading.limit(DOUBTFUL_LAYER) * np.maximum(known - 1, 1)
        few = (tower.total < reading.limit(VANISHING_IDLE)) & steep
        doubtful |= few | (tower.total < reading.limit(DOUBTFUL))
    doubtful &= ~(reading.fall >= reading.limit(FALLEN))
    return float(doubtful.mean()) > 0.5
