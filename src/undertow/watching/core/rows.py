"""A recorded step as a row, and rows joined to a chunk of the trace."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from undertow.trace.record import Chunk
from undertow.trace.schema import VARIABLES

ARRAY = 120  # bytes of an array or a number beside what it holds


class StepRow(NamedTuple):
    """One recorded step: an array [layers] or a number for each variable.

    >>> StepRow(1, 1, {"grad_norm": np.zeros(3), "loss": 0.7}).size
    272
    """

    step: int
    epoch: int
    values: dict[str, np.ndarray | float]

    @property
    def size(self) -> int:
        """Return its bytes in memory."""
        return sum(ARRAY + getattr(value, "nbytes", 8) for value in self.values.values())


def as_chunk(rows: Iterable[StepRow], dtype: np.dtype) -> Chunk:
    """Join rows, at least one, into a chunk; NaN where a row lacks what another has.

    `dtype` is that in which layers' numbers are kept.

    >>> row = StepRow(1, 1, {"grad_norm": np.array([2.0, 1e60])})
    >>> as_chunk([row], np.dtype("float32")).arrays["grad_norm"]
    array([[[ 2., inf]]], dtype=float32)
    """
    rows = list(rows)
    arrays: dict[str, np.ndarray] = {}
    for name in dict.fromkeys(name for row in rows for name in row.values):
        example = next(row.values[name] for row in rows if name in row.values)
        nothing = np.full_like(np.asarray(example, float), np.nan)
        array = np.stack([row.values.get(name, nothing) for row in rows])
        if "layer" in VARIABLES[name].dims:
            with np.errstate(over="ignore"):  # beyond float32 a norm is Inf, `nonfinite` is 0
                array = array.astype(dtype)
        arrays[name] = array[None] if VARIABLES[name].dims[0] == "replicate" else array
    steps, epochs = (np.array(column) for column in zip(*(row[:2] for row in rows), strict=True))
    return Chunk(steps, epochs, arrays)
