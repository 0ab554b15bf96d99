"""UT111: inputs far larger or smaller than the initial weights are made for."""

from __future__ import annotations

import numpy as np

from undertow.diagnosis.reading import Reading
from undertow.diagnosis.rule import NotApplicable, Outcome, Passed, Rule, found, middle, nowhere


def check(reading: Reading) -> Outcome:
    """Look at the root mean square of the batch, and whether the first layer is normalised."""
    places = np.flatnonzero(reading.matrix | reading.is_norm)
    first = np.flatnonzero(reading.matrix)
    if not first.size:
        return NotApplicable("no layer reads the inputs by a product")
    if reading.kinds[first[0]] == "embedding":
        return NotApplicable("the inputs are indices")
    if reading.is_norm[places[:2]].any():
        return NotApplicable("a normalisation stands before or after the first layer")
    size, limits = reading.start("input_rms"), reading.limits
    with np.errstate(invalid="ignore"):
        where = (size > limits.large_input) | (size < limits.small_input)
    where &= ~np.isnan(size) & (_matters(reading, first[0]) | reading.idle | (reading.broke_at > 0))
    if not where.any():
        return Passed(f"their root mean square is {middle(size, ~np.isnan(size)):.2g}")
    layers = nowhere(reading)
    layers[:, first[0]] = True
    evidence = f"the inputs have a root mean square of {middle(size, where):.2g}"
    return found(where, layers, True, evidence)


def _matters(reading: Reading, first: int) -> np.ndarray:
    """Tell where the first layer's pre-activations are as far off as its inputs, [R]."""
    if not reading.has("preactivation_rms"):
        return np.ones(reading.replicates, bool)
    size = reading.start("preactivation_rms")[:, first]
    with np.errstate(invalid="ignore"):
        return (size > reading.limits.large_input) | (size < reading.limits.small_input)


RULE = Rule("UT111", "unscaled inputs", "serious", ("input_rms",), check)
