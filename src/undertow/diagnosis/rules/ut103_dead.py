"""UT103: units whose slope is 0 for every sample of the batch."""

from __future__ import annotations

import numpy as np

from undertow.diagnosis.evidence import Evidence
from undertow.diagnosis.flat_ends import may_die
from undertow.diagnosis.rule import NotApplicable, Outcome, Passed, Rule, make_found
from undertow.diagnosis.threshold import Threshold

DEAD = Threshold(
    "dead",
    0.7,
    "share of units",
    "Units of a layer with zero slope on the whole batch. Deep ReLU layers see their samples "
    "alike, so that half of the units may rest on a batch in a network that trains.",
    gt=0,
    le=1,
    place=9,
)

FEWEST = 8  # samples: fewer rest a healthy unit too often; and units of a layer


def check(reading: Evidence) -> Outcome:
    """Count dead units, never zero outputs: half of a healthy ReLU layer's outputs are 0."""
    start, end = reading.start("dead_fraction"), reading.end("dead_fraction")
    may = reading.matrix_or_norm & np.array([may_die(each) for each in reading.activations])
    if not (may & ~np.isnan(start).all(0)).any():
        return NotApplicable("no layer's activation has a flat side")
    batch = reading.batch
    if batch is not None and batch < FEWEST:
        return NotApplicable(f"a batch of {batch} is too small to tell a dead unit from a rest")
    with np.errstate(invalid="ignore"):
        born = (reading.birth("dead_fraction") >= reading.limit(DEAD)) & may
        now = (end >= reading.limit(DEAD)) & may
    # Units that wake up again are not dead; of a few units chance takes most.
    layers = now & ((reading.fan_out >= FEWEST) | (end >= 1.0))
    where = layers.any(1)
    if not where.any():
        return Passed(f"at most {100 * np.nanmax(end[:, may], initial=0):.0f} % of a layer's units")
    worst = np.where(layers, end, -1.0)
    place = int(np.argmax(worst.max(0)))
    evidence = (
        f"{100 * worst.max():.0f} % of the units of '{reading.names[place]}' have slope 0 for the "
        "whole batch"
    )
    return make_found(where, layers, (born & layers).any(1), evidence)


RULE = Rule(
    "UT103",
    "dead units",
    "critical",
    ("dead_fraction",),
    check,
    before=("UT104",),
    remedies=("leaky-relu", "zero-biases", "learning-rate-down", "relu-he"),
)
