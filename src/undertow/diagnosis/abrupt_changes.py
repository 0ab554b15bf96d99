"""Where a gradient is lost or gained for good: all along, or at one layer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from undertow.diagnosis.course import log10
from undertow.diagnosis.evidence import Evidence

MOST = 0.6  # of the whole change, at a few layers, makes them the culprits
ODD = 1.0  # dex that a transition differs from the others
ODD_SLOPE = 0.7  # dex that a layer's slope is below its neighbours'


class AbruptChange(NamedTuple):
    """A lasting change between two layers that follow each other, unlike the changes elsewhere.

    `dex` is its size; `excess` what it is larger than the other transitions' median; `culprit` the
    place of the layer whose weights or slopes are to blame.
    """

    dex: float
    excess: float
    culprit: int


def find_abrupt_changes(
    reading: Evidence, log_delta: np.ndarray, r: int, sign: int
) -> list[AbruptChange]:
    """List where a gradient is lost (`sign` -1) or gained (+1) at once, in replicate `r`.

    What a layer inside a residual branch lacks comes back behind it, so only a change that all
    layers nearer to the inputs share counts.
    """
    profile = sign * log_delta[r]
    places = np.flatnonzero(reading.matrix & np.isfinite(profile))
    if len(places) < 3:
        return []
    values = profile[places]
    # Of what lies nearer to the inputs the least changed: what it has, all have.
    changes = np.minimum.accumulate(values[:-1]) - values[1:]
    usual = float(np.median(-np.diff(values)))
    return [
        AbruptChange(
            float(changes[k]), float(changes[k]) - usual, _blame(reading, r, *places[k : k + 2])
        )
        for k in np.flatnonzero(changes - usual > ODD)
    ]


def culprits(found: list[AbruptChange], total: float) -> list[AbruptChange]:
    """Return the breaks, if they make most of the total together."""
    return found if sum(each.excess for each in found) > MOST * abs(total) else []


def words(found: list[AbruptChange], names: list[str]) -> str:
    """Say how much of a total is due to each of a few layers.

    >>> words([AbruptChange(3.0, 3.0, 1)], ["a", "b"])
    ", 3.0 of them at 'b'"
    """
    parts = [f"{each.dex:.1f} of them at '{names[each.culprit]}'" for each in found[:3]]
    return f", {', '.join(parts)}" if parts else ""


def _blame(reading: Evidence, r: int, lower: int, upper: int) -> int:
    """Between two layers the gradient crosses the upper one's weights, the lower one's slopes."""
    if reading.has("slope_rms"):
        slopes = log10(reading.start("slope_rms")[r])
        known = slopes[np.isfinite(slopes)]
        if known.size and np.isfinite(slopes[lower]):
            if slopes[lower] < np.median(known) - ODD_SLOPE:
                return int(lower)
        elif known.size and np.isneginf(slopes[lower]):
            return int(lower)
    return int(upper)
