"""Axes: powers of ten, and time in epochs or steps."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from undertow.numerals import power
from undertow.show.theme import alt
from undertow.trace.record import Trace


class Decades(NamedTuple):
    """A range of whole powers of ten."""

    low: int
    high: int

    @property
    def domain(self) -> list[float]:
        """The range itself."""
        return [10.0**self.low, 10.0**self.high]

    def ticks(self, most: int = 5) -> list[float]:
        """Return so many powers of ten at most, evenly apart."""
        every = max(1, math.ceil((self.high - self.low) / (most - 1)))
        return [10.0**power for power in range(self.low, self.high + 1) if power % every == 0]

    def drawn(self, value: float) -> float:
        """Hold a value inside the range; NaN, which counts as largest, goes to its upper end."""
        low, high = self.domain
        return high if math.isnan(value) else min(max(value, low), high)


def decades(values: Iterable[float]) -> Decades:
    """Return the whole powers of ten around the values; zero, NaN and Inf are left out.

    >>> decades([0.002, 30.0, 0.0, float("inf")])
    Decades(low=-3, high=2)
    >>> decades([])
    Decades(low=-1, high=0)
    """
    logs = [math.log10(value) for value in values if 0 < value < math.inf]
    if not logs:
        return Decades(-1, 0)
    low, high = math.floor(min(logs)), math.ceil(max(logs))
    return Decades(low, high if high > low else low + 1)


def log_scale(range_: Decades) -> Any:
    """Return the scale of a logarithmic axis."""
    return alt.Scale(type="log", domain=range_.domain, nice=False, clamp=True)


def log_axis(title: str, range_: Decades, most: int = 5, **options: Any) -> Any:
    """Return an axis labelled 10⁻⁶, 10⁻³ and so on."""
    return alt.Axis(
        title=title,
        values=range_.ticks(most),
        labelExpr=f"({_names(range_)})[round(log(datum.value) / LN10)]",
        **options,
    )


def power_labels(range_: Decades) -> str:
    """Return a label expression for values that are exponents already."""
    return f"({_names(range_)})[round(datum.value)]"


def _names(range_: Decades) -> str:
    pairs = (f"'{number}': '{power(number)}'" for number in range(range_.low, range_.high + 1))
    return "{" + ", ".join(pairs) + "}"


def time_axis(trace: Trace) -> tuple[str, np.ndarray]:
    """Return what runs along the time axis: epochs, or steps where there is one epoch only."""
    epochs = trace.dataset["epoch"].values
    if len(np.unique(epochs)) > 1:
        return "epoch", epochs
    return "step", trace.dataset["step"].values
