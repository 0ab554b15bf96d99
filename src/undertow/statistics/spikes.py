"""Where a curve leaps out of its own band: the median of its neighbours and their scatter."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

WINDOW = 51  # recorded steps around each, itself among them
FEWEST = 12  # steps, below which nothing is called usual
ROBUST = 1.4826  # of a normal scatter, the standard deviation over the median deviation
DEVIATIONS = 6.0  # a normal scatter passes so many once in a thousand million steps
LEAST_DEX = 0.3  # a factor of two, however quiet the run


class Spikes(NamedTuple):
    """The middle of a curve, half the width of its band, and where it leaps above it, in order."""

    middle: np.ndarray
    half_width: float
    places: np.ndarray


def spikes(values: ArrayLike) -> Spikes:
    """Find the places where logarithms lie above the band of their neighbours.

    >>> found = spikes([0.0, 0.1] * 20 + [2.0] + [0.0, 0.1] * 20)
    >>> found.places.tolist(), found.half_width
    ([40], 0.3)

    A place without a finite number neither leaps nor counts among the neighbours of another.
    """
    from scipy.ndimage import median_filter

    array = np.asarray(values, dtype=float)
    known = np.isfinite(array)
    middle = np.full(array.shape, np.nan)
    if not known.any():
        return Spikes(middle, np.inf, np.zeros(0, int))
    middle[known] = median_filter(array[known], size=WINDOW, mode="nearest")
    above = array - middle
    if known.sum() < FEWEST:
        return Spikes(middle, np.inf, np.zeros(0, int))
    scatter = ROBUST * float(np.median(np.abs(above[known])))
    half_width = max(DEVIATIONS * scatter, LEAST_DEX)
    with np.errstate(invalid="ignore"):
        return Spikes(middle, half_width, np.flatnonzero(above > half_width))
