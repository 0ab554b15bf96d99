"""What comes in: a row of numbers, one a replicate, and a level of confidence."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from undertow.errors import SpecError


def row(values: ArrayLike) -> np.ndarray:
    """One number a replicate, as float64.

    >>> row([1, 2])
    array([1., 2.])

    Raises
    ------
    SpecError
        Anything but a list of numbers.
    """
    try:
        array = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise SpecError(
            f"{values!r}: give one number a replicate, for example [0.5, 0.75]"
        ) from None
    if array.ndim != 1:
        raise SpecError(
            f"values of shape {array.shape}: give one number a replicate, for example [0.5, 0.75]"
        )
    return array


def usable(*rows: np.ndarray, least: int = 1) -> bool:
    """Whether each row holds at least so many numbers, and finite ones only.

    >>> usable(row([0.5, 0.6]), least=2), usable(row([0.5, float("nan")]))
    (True, False)
    """
    return all(len(values) >= least and bool(np.isfinite(values).all()) for values in rows)


def mean_of(values: np.ndarray) -> float:
    """Mean that never leaves the range of the values; the mean of equal values is that value.

    >>> mean_of(row([0.1] * 10))
    0.1
    """
    # The float sum of ten 0.1 is under 1.
    return float(np.clip(values.mean(), values.min(), values.max()))


def two_sided_z(level: float) -> float:
    """Standard deviations that hold this share of a normal distribution.

    >>> round(two_sided_z(0.95), 2)
    1.96
    """
    return float(special.ndtri((1 + checked_level(level)) / 2))


def checked_level(level: float) -> float:
    """Return the level if it is one.

    >>> checked_level(0.95)
    0.95

    Raises
    ------
    SpecError
        A level that is not between 0 and 1: 95 for 95 % is a likely mistake.
    """
    if not 0 < level < 1:
        raise SpecError(f"level = {level}: it must lie between 0 and 1, for example 0.95")
    return level
