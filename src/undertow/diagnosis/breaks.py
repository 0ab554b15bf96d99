"""Where a gradient is lost or gained for good: all along, or at one layer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from undertow.diagnosis.reading import Reading

MOST = 0.6  # of the whole change, at one layer, makes it the culprit
ODD_SCALE = 0.7  # dex that a weight's scale is off its neighbours'
ODD_SLOPE = 0.7  # dex that a layer's slope is below its neighbours'


class Break(NamedTuple):
    """The largest lasting change between two layers that follow each other, in dex.

    `rest` is what the transitions lose or gain otherwise, their median; `culprit` the place of the
    layer whose weights or slopes are to blame.
    """

    dex: float
    rest: float
    culprit: int


def largest(reading: Reading, log_delta: np.ndarray, r: int, sign: int) -> Break | None:
    """Find where most of a gradient goes (`sign` -1) or comes from (+1), in replicate `r`.

    What a layer inside a residual branch lacks comes back behind it, so only a change that all
    layers nearer to the inputs share counts.
    """
    profile = sign * log_delta[r]
    places = np.flatnonzero(reading.matrix & np.isfinite(profile))
    if len(places) < 3:
        return None
    values = profile[places]
    # Of what lies nearer to the inputs the least changed: what it has, all have.
    shared = np.minimum.accumulate(values[:-1])
    changes = shared - values[1:]
    k = int(np.argmax(changes))
    others = np.delete(-np.diff(values), k)
    lower, upper = int(places[k]), int(places[k + 1])
    culprit = _blame(reading, r, lower, upper)
    return Break(sign * float(changes[k]), sign * float(np.median(others)), culprit)


def is_local(found: Break, total: float) -> bool:
    """Tell whether one layer makes most of the total."""
    excess = abs(found.dex - found.rest)
    return excess > 1.0 and abs(found.dex) > MOST * abs(total)


def _blame(reading: Reading, r: int, lower: int, upper: int) -> int:
    """Between two layers the gradient crosses the upper one's weights, the lower one's slopes."""
    if reading.has("slope_rms"):
        slopes = _log(reading.start("slope_rms")[r])
        known = slopes[np.isfinite(slopes)]
        if known.size and np.isfinite(slopes[lower]):
            if slopes[lower] < np.median(known) - ODD_SLOPE:
                return lower
        elif known.size and np.isneginf(slopes[lower]):
            return lower
    return upper


def _log(values: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.log10(values)
