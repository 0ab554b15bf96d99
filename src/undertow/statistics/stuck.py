"""Which replicates learnt nothing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from undertow.errors import SpecError
from undertow.statistics.intervals import CONFIDENCE, Interval, wilson
from undertow.statistics.values import row

# Far under one sample of any test set, far over the rounding of a float32 share.
SAME_SHARE = 1e-6


class StuckCount(NamedTuple):
    """`stuck` of `n` replicates, and Wilson's interval of the share; None for no replicates."""

    stuck: int
    n: int
    interval: Interval | None


def stuck(accuracy: ArrayLike, larger_class_share: float, predicted_share: ArrayLike) -> np.ndarray:
    """Mark the replicates no better than always naming the larger class.

    >>> stuck([0.5, 0.9, 0.6, float("nan")], 0.5, [0.7, 0.5, 1.0, 1.0])
    array([ True, False,  True,  True])

    Stuck = test accuracy not above the share of the larger test class, or one class predicted for
    all. A NaN counts as stuck: that replicate diverged.

    Parameters
    ----------
    accuracy : array [R]
        Test accuracy of each replicate, 0 to 1.
    larger_class_share : float
        Share of the test samples in the larger (of many: the largest) class.
    predicted_share : array [R]
        Share of the test samples given the class that the replicate names most often; 1 is one
        class for all.

    Returns
    -------
    array of bool [R]

    Raises
    ------
    SpecError
        Shapes that differ, or a number above 1 or under 0: percentages are a likely mistake.
    """
    accuracy, predicted_share = row(accuracy), row(predicted_share)
    if accuracy.shape != predicted_share.shape:
        raise SpecError(
            f"{len(accuracy)} accuracies and {len(predicted_share)} predicted shares: "
            "give one of each a replicate"
        )
    shares = np.concatenate([accuracy, predicted_share, [larger_class_share]])
    outside = shares[(shares < 0) | (shares > 1 + SAME_SHARE)]
    if outside.size or np.isnan(larger_class_share):
        wrong = outside[0] if outside.size else larger_class_share
        raise SpecError(f"share {wrong:g}: shares lie between 0 and 1, for example 0.5")
    # Written so that a NaN, which compares as False, ends up stuck.
    learnt = (accuracy > larger_class_share + SAME_SHARE) & (predicted_share < 1 - SAME_SHARE)
    return ~learnt


def stuck_count(flags: ArrayLike, level: float = CONFIDENCE) -> StuckCount:
    """Count what `stuck` marked.

    >>> count = stuck_count([True, False, False, False])
    >>> count.stuck, count.n, round(count.interval.high, 2)
    (1, 4, 0.7)
    """
    flags = np.asarray(flags, dtype=bool)
    marked = int(flags.sum())
    return StuckCount(marked, flags.size, wilson(marked, flags.size, level))
