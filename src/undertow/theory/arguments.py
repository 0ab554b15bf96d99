"""Checks of arguments, shared by the room: one line that says what came and what is allowed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from undertow.errors import SpecError


def at_least_zero(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """Return `value` as float64, every entry finite and 0 or more.

    >>> at_least_zero("bias_variance", 0.05)
    array(0.05)
    >>> at_least_zero("bias_variance", -1)
    Traceback (most recent call last):
    undertow.errors.SpecError: bias_variance = -1: must be finite and 0 or more, for example 0.05
    """
    array = _numbers(name, value)
    if not np.all(np.isfinite(array) & (array >= 0)):
        raise SpecError(f"{name} = {_show(value)}: must be finite and 0 or more, for example 0.05")
    return array


def as_whole_numbers(name: str, value: Any, smallest: int = 1) -> NDArray[np.int64]:
    """Return `value` as whole numbers of `smallest` or more.

    >>> as_whole_numbers("widths", [10, 10])
    array([10, 10])
    """
    array = _numbers(name, value)
    if not np.all(np.isfinite(array) & (array >= smallest) & (array == np.round(array))):
        raise SpecError(
            f"{name} = {_show(value)}: must be whole numbers of {smallest} or more, "
            f"for example {max(10, smallest)}"
        )
    return array.astype(np.int64)


def as_between(name: str, value: ArrayLike, low: float, high: float) -> NDArray[np.float64]:
    """Return `value` as float64, every entry in [low, high].

    >>> as_between("correlation", 0.5, -1, 1)
    array(0.5)
    """
    array = _numbers(name, value)
    if not np.all((array >= low) & (array <= high)):
        raise SpecError(
            f"{name} = {_show(value)}: must lie between {low:g} and {high:g}, "
            f"for example {(low + high) / 2:g}"
        )
    return array


def _numbers(name: str, value: Any) -> NDArray[np.float64]:
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise SpecError(f"{name} = {_show(value)}: must be a number, for example 1.0") from None


def _show(value: Any) -> str:
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:57] + "..."
