"""UT106: each update changes weights by a large part of themselves."""

from __future__ import annotations

import numpy as np

from undertow.diagnosis.course import median
from undertow.diagnosis.evidence import Evidence
from undertow.diagnosis.rule import Outcome, Passed, Rule, make_found, middle
from undertow.diagnosis.shared_thresholds import LARGE_UPDATE, WHOLE_UPDATE


def check(reading: Evidence) -> Outcome:
    """Compare the applied change with the weight, the median over layers and steps."""
    ratio = np.where(reading.matrix, reading.update_ratio, np.nan)
    by_layer = median(ratio, 1)
    typical = median(by_layer, 1)
    limit = reading.limit(LARGE_UPDATE)
    begins, ever = reading.largest_update(), reading.largest_update(None)
    suffers = (reading.idle | (reading.broke_at > 0)) & ~reading.fell_before_it_broke
    with np.errstate(invalid="ignore"):
        at_start = begins >= limit
        where = ((typical >= limit) | at_start) & suffers
        where |= (begins >= reading.limit(WHOLE_UPDATE)) & ~reading.fell_before_it_broke
        # One such step on the way, and all that was learnt is lost: units may never come back.
        later = reading.overshot & ~where
        where |= later
        layers = (by_layer >= limit) & reading.matrix
    if not where.any():
        return Passed(
            f"a step changes a weight by {100 * middle(typical, ~np.isnan(typical)):.2g} %"
        )
    share = middle(np.where(later, ever, np.fmax(typical, begins)), where)
    size = f"{100 * share:.0f} % of" if share < 10 else f"{share:.3g} times"
    return make_found(where, layers, at_start, f"a step changes a weight by {size} its norm")


RULE = Rule(
    "UT106",
    "updates too large",
    "serious",
    ("update_norm", "weight_norm"),
    check,
    before=("UT105",),
    explains=("UT107",),
    remedies=("learning-rate-down", "warm-up"),
)
