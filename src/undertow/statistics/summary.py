"""One arm in six numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from undertow.statistics.intervals import Interval, mean_interval
from undertow.statistics.values import mean_of, row, usable


class Summary(NamedTuple):
    """What `summarise` says of one arm; `_asdict()` makes it a dictionary.

    `sd` divides by n - 1; `iqm` is the mean of the middle half, which hides replicates that are
    stuck: show their count beside it; `ci95` is the BCa interval of the mean.
    """

    mean: float | None
    sd: float | None
    median: float | None
    iqm: float | None
    ci95: Interval | None
    n: int


def summarise(values: ArrayLike) -> Summary:
    """Describe the replicates of one arm.

    >>> summary = summarise([0.5, 0.9, 0.8, 0.7])
    >>> round(summary.mean, 3), round(summary.iqm, 3), summary.n
    (0.725, 0.75, 4)
    >>> summarise([0.5])
    Summary(mean=0.5, sd=None, median=0.5, iqm=0.5, ci95=None, n=1)
    >>> summarise([0.5, float("nan")]).mean is None
    True

    Returns
    -------
    Summary
        All but `n` are None for no values, or any that is not finite: dropping the replicate that
        diverged would flatter the arm.

    References
    ----------
    Interquartile mean: Agarwal 2021, arXiv:2108.13264
    """
    values = np.sort(row(values))
    n = len(values)
    if not usable(values):
        return Summary(None, None, None, None, None, n)
    cut = n // 4
    spread = values.std(ddof=1) if n > 1 and np.ptp(values) > 0 else 0.0
    return Summary(
        mean=mean_of(values),
        sd=float(spread) if n > 1 else None,
        median=float(np.median(values)),
        iqm=mean_of(values[cut : n - cut]),
        ci95=mean_interval(values),
        n=n,
    )
