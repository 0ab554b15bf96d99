"""A function that is called with every recorded step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from undertow.trace.record import Chunk, Event, Header
from undertow.trace.schema import VARIABLES


class EachStep:
    """Call a function with the number of each recorded step and its values, by name.

    >>> from undertow.trace.record import Layer, provenance
    >>> sink = EachStep(print)
    >>> layer = Layer("hidden", 1, "linear", "tanh", 2, 8)
    >>> sink.begin(Header((layer,), (0,), provenance("watched")))
    >>> values = {"loss": np.array([[0.7]]), "grad_norm": np.array([[[0.25]]])}
    >>> sink.rows(Chunk(np.array([3]), np.array([1]), values))
    3 {'epoch': 1, 'loss': 0.7, 'grad_norm/hidden': 0.25}

    What was not measured is left out. The function may be called from another thread than the one
    that trains.
    """

    def __init__(self, function: Callable[[int, dict[str, float]], object]) -> None:
        self._function = function
        self._layers: tuple[str, ...] = ()

    def begin(self, header: Header) -> None:
        self.relabel(header)

    def relabel(self, header: Header) -> None:
        self._layers = tuple(layer.name for layer in header.layers)

    def rows(self, chunk: Chunk) -> None:
        for place, step in enumerate(chunk.steps.tolist()):
            self._function(step, self._values(chunk, place))

    def event(self, event: Event) -> None:
        """A function is told of steps alone."""

    def finish(self, state: str) -> None:
        """A function has nothing to close."""

    def _values(self, chunk: Chunk, place: int) -> dict[str, float]:
        found: dict[str, float] = {"epoch": int(chunk.epochs[place])}
        for name, array in chunk.arrays.items():
            dims = VARIABLES[name].dims
            row = array.take(place, dims.index("step"))
            row = row[0] if dims[0] == "replicate" else row
            names = [f"{name}/{layer}" for layer in self._layers] if "layer" in dims else [name]
            found |= zip(names, np.atleast_1d(row).tolist(), strict=True)
        return {name: value for name, value in found.items() if value == value}


SINK = EachStep
