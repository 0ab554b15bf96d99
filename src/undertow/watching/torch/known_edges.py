"""The edges between the calls of layers: looked for at first, and again when a call is new."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from undertow.trace.dataflow import Edge
from undertow.trace.record import Layer
from undertow.watching.torch import rows
from undertow.watching.torch.layer_calls import Key


class KnownEdges:
    """Gathers edges over the passes of a training.

    >>> known = KnownEdges()
    >>> known.take([Edge((0, 1), (1, 1), False, None)], {(0, 1), (1, 1)})
    >>> known.looked_for({(0, 1), (1, 1)})
    >>> known.is_complete, list(known.edges)[0][:2]
    (True, ((0, 1), (1, 1)))
    """

    def __init__(self) -> None:
        self.edges: dict[Edge[Key], None] = {}
        self.is_complete = False  # there is nothing new to look for
        self._calls: set[Key] = set()  # of which edges were looked for

    def take(self, links: Iterable[Edge[Key]], counted: Collection[Key]) -> None:
        """Take the edges of a pass, as far as both ends count in it."""
        for link in links:
            if link.source in counted and link.target in counted:
                self.edges[link] = None

    def forget(self, layers: Collection[int]) -> None:
        """Drop the edges of layers whose gradients were set to zero: their pass did not count."""
        for edge in list(self.edges):
            if edge.source[0] in layers or edge.target[0] in layers:
                del self.edges[edge]

    def looked_for(self, calls: Collection[Key]) -> None:
        """Note of which calls a step's edges were looked for."""
        self._calls |= set(calls)
        self.is_complete = True

    def see(self, calls: Collection[Key]) -> None:
        """Note the calls of a step whose edges were not looked for."""
        self.is_complete = self._calls.issuperset(calls)

    def named(self, places: Sequence[rows.Place], layers: Sequence[Layer]) -> list[list[object]]:
        """Return the edges by the names of the trace's layers, ready for its header."""
        return rows.edges(self.edges, places, layers)
