"""UT111: inputs far larger or smaller than the initial weights are made for."""

from __future__ import annotations

import numpy as np

from undertow.diagnosis.evidence import Evidence
from undertow.diagnosis.rule import (
    NotApplicable,
    Outcome,
    Passed,
    Rule,
    make_found,
    middle,
    nowhere,
)
from undertow.diagnosis.threshold import Threshold

LARGE_INPUT = Threshold(
    "large_input",
    6.0,
    "root mean square",
    "Standardised inputs have 1, pictures from 0 to 1 about .3.",
    gt=1,
    place=16,
)
SMALL_INPUT = Threshold(
    "small_input",
    0.04,
    "root mean square",
    "The same.",
    gt=0,
    lt=1,
    place=17,
)

WHOLE_ROW = 0.3  # the norm of a row of inputs that is not small, however many of them are 0


def check(reading: Evidence) -> Outcome:
    """Look at the root mean square of the batch, and whether the first layer is normalised."""
    places = np.flatnonzero(reading.matrix | reading.is_norm)
    first = np.flatnonzero(reading.matrix)
    if not first.size:
        return NotApplicable("no layer reads the inputs by a product")
    if reading.kinds[first[0]] == "embedding":
        return NotApplicable("the inputs are indices")
    if reading.is_norm[places[:2]].any():
        return NotApplicable("a normalisation stands before or after the first layer")
    size = reading.start("input_rms")
    with np.errstate(invalid="ignore"):
        where = (size > reading.limit(LARGE_INPUT)) | (size < reading.limit(SMALL_INPUT))
    where &= ~np.isnan(size) & (_matters(reading, first[0]) | reading.idle | (reading.broke_at > 0))
    if not where.any():
        return Passed(f"their root mean square is {middle(size, ~np.isnan(size)):.2g}")
    layers = nowhere(reading)
    layers[:, first[0]] = True
    evidence = f"the inputs have a root mean square of {middle(size, where):.2g}"
    return make_found(where, layers, True, evidence)


def _matters(reading: Evidence, first: int) -> np.ndarray:
    """Tell where the first layer's pre-activations are as far off as its inputs, [R].

    Small inputs are hidden by biases, so their own part counts; and a sparse row of many features
    is not small as a whole.
    """
    size = reading.start("input_rms")
    large, small = size > reading.limit(LARGE_INPUT), size < reading.limit(SMALL_INPUT)
    if reading.has("preactivation_rms"):
        large &= reading.start("preactivation_rms")[:, first] > reading.limit(LARGE_INPUT)
    if reading.has("weight_norm"):
        scale = reading.start("weight_norm")[:, first] / np.sqrt(max(reading.fan_out[first], 1))
        small &= size * scale < reading.limit(SMALL_INPUT)
    if reading.kinds[first] != "conv":
        small &= size * np.sqrt(reading.fan_in[first]) < WHOLE_ROW
    return large | small


RULE = Rule(
    "UT111",
    "unscaled inputs",
    "serious",
    ("input_rms",),
    check,
    before=("UT112",),
    remedies=("standardise-inputs", "batch-norm"),
)
