"""A run kept in memory."""

from __future__ import annotations

from undertow.trace.record import Chunk, Event, Header, Trace, build
from undertow.trace.store.writer import CELL


class Memory:
    """Keep a run as arrays in memory.

    >>> import numpy as np
    >>> from undertow.trace.record import provenance
    >>> sink = Memory()
    >>> sink.begin(Header((), (0,), provenance("watched")))
    >>> sink.rows(Chunk(np.array([1]), np.array([1]), {"loss": np.array([[0.7]])}))
    >>> sink.trace().to_xarray()["loss"].item()
    0.7
    """

    header: Header

    def __init__(self) -> None:
        self.size = 0
        self._chunks: list[Chunk] = []
        self._events: list[Event] = []

    def begin(self, header: Header) -> None:
        self.header = header

    def relabel(self, header: Header) -> None:
        self.header = header

    def rows(self, chunk: Chunk) -> None:
        self._chunks.append(chunk)
        self.size += sum(array.nbytes for array in chunk.arrays.values())

    def event(self, event: Event) -> None:
        self._events.append(event)
        self.size += CELL

    def finish(self, state: str) -> None:
        """Nothing is left to do: what is in memory is there."""

    def chunks(self) -> list[Chunk]:
        return list(self._chunks)

    def events(self) -> tuple[Event, ...]:
        return tuple(self._events)

    def trace(self) -> Trace:
        """Return the run as far as it has come."""
        return build(self.header, self._chunks, self._events)


SINK = Memory
