"""UT109: units that start with the same weights, and therefore stay the same."""

from __future__ import annotations

import numpy as np

from undertow.diagnosis.evidence import Evidence
from undertow.diagnosis.rule import NotApplicable, Outcome, Passed, Rule, make_found
from undertow.diagnosis.threshold import Threshold

DISTINCT = Threshold(
    "distinct",
    0.5,
    "share of units",
    "Units whose incoming weights differ from every other's; drawn weights give 1.",
    gt=0,
    le=1,
    place=15,
)


def check(reading: Evidence) -> Outcome:
    """Count the units that differ, at birth and as they were last looked at."""
    born, now = reading.birth("distinct_units"), reading.end("distinct_units")
    may = reading.hidden & (reading.fan_out > 1) & ~np.isnan(born).all(0)
    if not may.any():
        return NotApplicable("no hidden layer has several units")
    with np.errstate(invalid="ignore"):
        layers = (born < reading.limit(DISTINCT)) & (now < reading.limit(DISTINCT)) & may
    # A layer of zeros at the end of a branch parts its units with the first update.
    if reading.has("weight_norm"):
        zeros = reading.birth("weight_norm") == 0
        layers &= ~zeros | (zeros | ~may).all(1)[:, None]
        # With all of them 0 only the last layer learns, however its units part.
        all_zero = (zeros | ~may).all(1) & reading.idle
        layers |= all_zero[:, None] & may
    where = layers.any(1)
    if not where.any():
        return Passed("units differ")
    place = int(np.flatnonzero(layers.any(0))[0])
    share = 100 * np.nanmin(np.where(layers, born, np.nan))
    evidence = (
        f"{share:.0f} % of the units of '{reading.names[place]}' have weights of their own; equal "
        "units get equal gradients and stay equal"
    )
    return make_found(where, layers, True, evidence)


RULE = Rule(
    "UT109",
    "symmetric units",
    "critical",
    ("distinct_units",),
    check,
    before=("UT108",),
    explains=("UT101", "UT102"),
    remedies=("random-weights",),
)
