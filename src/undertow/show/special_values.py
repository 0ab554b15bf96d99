"""What a logarithmic axis cannot hold: a zero, an underflow, NaN, Inf, and what was not measured.

Each has a mark of its own and never a colour.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from undertow.trace.readings import values
from undertow.trace.record import Trace

GLYPHS = {
    "zero": "0",
    "underflow": "0̲",  # a nought with a bar under it
    "nan": "×",
    "inf": "▲",
    "not measured": "⁄⁄⁄",
}

MEANINGS = {
    "zero": "0: exactly no gradient",
    "underflow": "0 with a bar under it: too small for the data type",
    "nan": "×: NaN",
    "inf": "▲: infinite",
    "not measured": "⁄⁄⁄: not measured",
}


def value_kind(value: float, *, underflowed: bool = False, diverged: bool = True) -> str:
    """Tell what a value is: `finite`, or one of the marks.

    >>> value_kind(1e-30), value_kind(0.0), value_kind(0.0, underflowed=True)
    ('finite', 'zero', 'underflow')
    >>> value_kind(float("nan"), diverged=False)
    'not measured'
    """
    if np.isnan(value):
        return "nan" if diverged else "not measured"
    if np.isinf(value):
        return "inf"
    if value == 0:
        return "underflow" if underflowed else "zero"
    return "finite"


def underflowed_layers(trace: Trace) -> np.ndarray:
    """Mark the layers whose zeros are underflows; [layers] of bool.

    An event names the layer where it began; the layers nearer the input inherit it.
    """
    names = [str(name) for name in trace.dataset["layer"].values]
    began = [
        names.index(event.layer)
        for event in trace.events
        if event.kind == "underflow" and event.layer in names
    ]
    return np.arange(len(names)) <= max(began, default=-1)


def is_diverged(trace: Trace) -> np.ndarray:
    """Mark where a gradient held NaN or Inf in any replicate; [steps, layers] of bool."""
    sizes = trace.dataset.sizes
    if "nonfinite" not in trace.dataset:
        return np.zeros((sizes["step"], sizes["layer"]), bool)
    return np.asarray((values(trace, "nonfinite") > 0).any(0))


def legend(kinds: Iterable[str]) -> str:
    """Say what the marks in a figure mean; nothing if there are none.

    >>> legend(["finite", "zero"])
    ' At the edge, 0: exactly no gradient.'
    """
    present = set(kinds)
    found = [meaning for name, meaning in MEANINGS.items() if name in present]
    return f" At the edge, {'; '.join(found)}." if found else ""
