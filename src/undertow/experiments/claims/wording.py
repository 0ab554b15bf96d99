"""How claims put numbers: medians, ranges and counts, rounded alike."""

from __future__ import annotations

import numpy as np

from undertow.numerals import grouped
from undertow.statistics.improvement import probability_of_improvement
from undertow.statistics.intervals import wilson

# Bouthillier et al. 2021 (arXiv:2103.03098): a difference is meaningful where a run of one arm
# beats a run of the other with a probability above .75, and its interval leaves .5 out.
MEANINGFUL = 0.75


def median(values: np.ndarray) -> str:
    """Write a median.

    >>> median(np.array([0.001234, 0.002]))
    '0.0016'
    """
    return grouped(float(np.median(values)))


def dex(values: np.ndarray) -> str:
    """Write a median in decades, with its sign.

    >>> dex(np.array([-5.812]))
    '-5.81 dex'
    """
    return f"{float(np.median(values)):+.2f} dex"


def count(flags: np.ndarray) -> str:
    """Write how many of how many.

    >>> count(np.array([True, False]))
    '1 of 2'
    """
    return f"{int(np.sum(flags))} of {len(flags)}"


def beats(x: np.ndarray, y: np.ndarray) -> bool | None:
    """Tell whether x is meaningfully larger than y; None where the replicates leave it open.

    >>> high, low = np.arange(20.0) + 100, np.arange(20.0)
    >>> beats(high, low), beats(low, high), beats(high[:1], low[:1])
    (True, False, None)
    """
    found = probability_of_improvement(x, y)
    if found is None:
        return None
    if found.probability > MEANINGFUL and found.interval.low > 0.5:
        return True
    return False if found.interval.high < MEANINGFUL else None


def mostly(flags: np.ndarray) -> bool | None:
    """Tell whether most networks do; None where Wilson's interval of the share has .5 in it.

    >>> mostly(np.ones(12)), mostly(np.zeros(12)), mostly(np.array([1, 0]))
    (True, False, None)
    """
    share = wilson(int(np.sum(flags)), len(flags))
    if share is None or share.low <= 0.5 <= share.high:
        return None
    return share.low > 0.5


def chance(x: np.ndarray, y: np.ndarray) -> str:
    """Write the probability that a run of x lies above one of y."""
    found = probability_of_improvement(x, y)
    if found is None:
        return "not defined"
    low, high = found.interval
    return f"{found.probability:.2f} [{low:.2f}, {high:.2f}]"
