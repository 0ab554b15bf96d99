"""Many replicates become a line with a band, and many steps few columns, ready to be drawn.

Nothing is dropped. A NaN counts as larger than every number, because a replicate that diverged has
gone beyond the others: leaving it out would draw the survivors only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

COLUMNS = 120  # as many as a figure can show apart


class Band(NamedTuple):
    """The middle of the replicates and the range that holds most of them."""

    low: np.ndarray
    median: np.ndarray
    high: np.ndarray


class Columns(NamedTuple):
    """Steps in columns: the first and last epoch of each, and its medians, [columns, ...]."""

    first: np.ndarray
    last: np.ndarray
    values: np.ndarray


def band(values: ArrayLike, axis: int = 0, share: float = 0.9) -> Band:
    """Median, and the range that holds the middle `share` of the replicates.

    >>> band([1.0, 2.0, 3.0, 4.0, 5.0], share=0.5)
    Band(low=array(2.), median=array(3.), high=array(4.))
    >>> band([0.1, float("nan"), 0.3]).median
    array(0.3)
    """
    array = np.sort(np.moveaxis(np.asarray(values, dtype=float), axis, 0), axis=0)
    tail = (1 - share) / 2
    return Band(*(_quantile(array, place) for place in (tail, 0.5, 1 - tail)))


def median(values: ArrayLike) -> float:
    """Median of one number a replicate, with NaN as the largest.

    >>> median([3.0, 1.0, 2.0])
    2.0
    """
    return float(band(np.ravel(values)).median)


def middle(values: ArrayLike) -> int:
    """Place of the replicate in the middle: the lower of the two if their number is even.

    >>> middle([0.9, 0.5, 0.7])
    2
    """
    order = np.argsort(np.asarray(values, dtype=float), kind="stable")
    return int(order[(len(order) - 1) // 2])


def last_epoch(values: ArrayLike, epochs: ArrayLike) -> np.ndarray:
    """Mean over the steps of the last epoch, of [R, steps, ...].

    >>> last_epoch([[1.0, 2.0, 4.0]], [1, 2, 2])
    array([3.])
    """
    array, epochs = np.asarray(values, dtype=float), np.asarray(epochs)
    with np.errstate(invalid="ignore"):
        return array[:, epochs == epochs[-1]].mean(1)


def lost_decades(first: ArrayLike, last: ArrayLike) -> float:
    """Median over replicates of log10 first - log10 last: negative where the gradient shrinks.

    >>> round(lost_decades([1e-6, 1e-5], [1.0, 1.0]), 6)
    -5.5
    """
    return median(decades_between(np.asarray(first, dtype=float), np.asarray(last, dtype=float)))


def decades_between(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return log10 first - log10 last, in the arrays' own precision.

    >>> decades_between(np.array([100.0, 0.0]), np.array([1.0, 1.0]))
    array([  2., -inf])
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log10(first) - np.log10(last)


def in_columns(
    values: ArrayLike, epochs: ArrayLike, columns: int = COLUMNS, *, decades: bool = False
) -> Columns:
    """Gather [steps, ...] into at most so many columns of whole epochs, and take their medians.

    >>> in_columns([1.0, 3.0, 5.0], [1, 1, 2]).values
    array([2., 5.])
    >>> in_columns([1e-6, 1e-2], [1, 1], decades=True).values
    array([0.0001])

    With `decades` the median is taken of the logarithm: of 1e-6 and 1e-2 it is 1e-4.
    """
    array, epochs = np.asarray(values, dtype=float), np.asarray(epochs)
    kinds = np.unique(epochs)
    parts = np.array_split(kinds, min(columns, len(kinds))) if len(kinds) else []
    found = np.full((len(parts), *array.shape[1:]), np.nan)
    for place, part in enumerate(parts):
        inside = array[(epochs >= part[0]) & (epochs <= part[-1])]
        found[place] = _median_decades(inside) if decades else band(inside).median
    return Columns(
        np.array([part[0] for part in parts]), np.array([part[-1] for part in parts]), found
    )


def sum_histograms(counts: ArrayLike, edge: float) -> tuple[np.ndarray, np.ndarray]:
    """Add up a histogram [..., bins] over all but its bins; return the middles and the shares.

    >>> sum_histograms([[1, 1, 2, 0], [3, 1, 0, 0]], edge=2.0)
    (array([-1.5, -0.5,  0.5,  1.5]), array([0.5 , 0.25, 0.25, 0.  ]))
    """
    array = np.asarray(counts, dtype=float)
    bins = array.shape[-1]
    whole = array.reshape(-1, bins).sum(0)
    middles = (np.arange(bins) + 0.5) * (2 * edge / bins) - edge
    return middles, whole / max(whole.sum(), 1.0)


def _median_decades(values: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        logs = np.sort(np.log10(values), axis=0)
        middle_ = 10.0 ** _quantile(logs, 0.5)
    # The way through the logarithm would round; the median of one value is that value.
    return values[0] if len(values) == 1 else middle_


def _quantile(ordered: np.ndarray, share: float) -> np.ndarray:
    """Interpolate like `np.quantile`, on sorted values, but let NaN and Inf stand at the end."""
    place = share * (len(ordered) - 1)
    low = int(np.floor(place + 1e-9))
    part = max(place - low, 0.0)
    below, above = ordered[low], ordered[min(low + 1, len(ordered) - 1)]
    if part < 1e-9:
        return np.asarray(below)
    with np.errstate(invalid="ignore"):
        between = below * (1 - part) + above * part
    return np.where(below == above, below, between)
