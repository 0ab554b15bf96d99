"""How a network's layers follow each other, and the gradient that comes through each cut of it.

A network is a directed graph of layers. What a gradient is worth at one place is not what one layer
gets, but what all tensors get that are alive there: a branch beside a stream that carries the rest
may get next to nothing, and nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Generic, NamedTuple, TypeVar, cast

import numpy as np

Name = TypeVar("Name")


class Edge(NamedTuple, Generic[Name]):
    """A way from one layer to another that crosses no third.

    >>> Edge("fc1", "fc2", False, None).target
    'fc2'

    Without `skip` the target reads what the source made, or a sum that the source was the last to
    join. With `skip` the source reaches the sum that the target's output joins, multiplied by
    `scale`; None where that is not known.
    """

    source: Name
    target: Name
    skip: bool
    scale: float | None


def edges_of(attributes: Mapping[str, Any]) -> tuple[Edge[str], ...]:
    """Return the edges that a trace's attributes hold; none where nobody has looked.

    >>> edges_of({"edges": [["fc1", "fc2", False, None]]})
    (Edge(source='fc1', target='fc2', skip=False, scale=None),)
    >>> edges_of({})
    ()
    """
    listed = cast("Sequence[Any]", attributes.get("edges") or ())
    return tuple(
        Edge(str(source), str(target), bool(skip), None if scale is None else float(scale))
        for source, target, skip, scale in listed
    )


def chain(places: Sequence[int]) -> list[Edge[int]]:
    """Return the edges of layers that follow one another.

    >>> [edge[:2] for edge in chain([0, 2, 3])]
    [(0, 2), (2, 3)]
    """
    return [Edge(one, other, False, None) for one, other in pairwise(places)]


class Dataflow:
    """The graph of a network's layers, numbered as the trace has them.

    >>> both = Dataflow([Edge(0, 1, False, None), Edge(0, 1, True, 1.0), Edge(1, 4, False, None),
    ...     Edge(2, 3, False, None)])
    >>> both.towers
    [[0, 1, 4], [2, 3]]
    >>> both.ends
    {3, 4}

    A *tower* is a part whose layers are all made of the same first layers: two networks side by
    side are two, and so are an encoder and the decoder that reads it. `ends` are the layers that
    no other reads.
    """

    def __init__(self, edges: Sequence[Edge[int]]) -> None:
        # A trace has layers in the order of their calls: an edge backwards is a further call's.
        self.edges = [edge for edge in edges if edge.source < edge.target]
        self.towers = _towers(self.edges)
        sources = {edge.source for edge in self.edges}
        self.ends = {edge.target for edge in self.edges} - sources

    def cuts(self, delta: np.ndarray) -> np.ndarray:
        """Return the norm of the gradient through the cut behind each layer, [..., layers].

        `delta` has the norm that arrives at each layer's output, NaN where it is not known. A cut
        goes through every tensor that the layer's tower has made by then and that is read later.
        Of a tensor that is read on both sides all counts, so that a cut may come out too large, and
        never too small.

        >>> branch = [Edge(0, 1, False, None), Edge(0, 1, True, 1e-6), Edge(1, 2, False, None)]
        >>> Dataflow(branch).cuts(np.array([1.0, 1e-6, 2.0]))
        array([1., 1., 2.])
        """
        found = np.array(delta, float)
        largest = _largest(found)
        with np.errstate(all="ignore"):
            squares = np.square(found / largest)  # or the squares of a small gradient were 0
        for tower in self.towers:
            for place, alive in self._alive(tower):
                parts = squares[..., [at for at, _ in alive]] * [weight for _, weight in alive]
                whole = np.sqrt(np.nansum(parts, -1)) * largest[..., 0]
                known = ~np.isnan(delta[..., place])
                found[..., place] = np.where(known, whole, np.nan)
        return found

    def _alive(self, tower: Sequence[int]) -> Iterator[tuple[int, list[tuple[int, float]]]]:
        """Yield each layer of a tower with the layers whose deltas tell what is alive behind it.

        What a layer's output has joined, times a scale, has its delta over that scale: the number
        beside each layer is what its delta's square is multiplied by.
        """
        inside = set(tower)
        leaving: dict[int, list[Edge[int]]] = {}
        weight = dict.fromkeys(inside, 1.0)
        for edge in self.edges:
            if edge.source in inside:
                leaving.setdefault(edge.source, []).append(edge)
            if edge.skip and edge.scale:
                weight[edge.target] = 1.0 / edge.scale**2
        open_edges: list[Edge[int]] = []
        for place in tower:
            open_edges = [edge for edge in open_edges if edge.target > place]
            open_edges += leaving.get(place, [])
            alive = {edge.source for edge in open_edges if not edge.skip} | {place}
            alive |= {edge.target for edge in open_edges if edge.skip and edge.source not in alive}
            yield place, [(at, weight.get(at, 1.0)) for at in sorted(alive)]


def _largest(array: np.ndarray) -> np.ndarray:
    """Return the largest finite number along the last dim, and 1 where there is none."""
    finite = np.where(np.isfinite(array), array, 0.0)
    largest = finite.max(-1, keepdims=True, initial=0.0)
    return np.where(largest > 0, largest, 1.0)


def _towers(edges: Sequence[Edge[int]]) -> list[list[int]]:
    """Group layers by the first layers that they are made of."""
    reads: dict[int, list[int]] = {}
    for edge in edges:
        reads.setdefault(edge.target, []).append(edge.source)
        reads.setdefault(edge.source, [])
    made_of: dict[int, frozenset[int]] = {}
    groups: dict[frozenset[int], list[int]] = {}
    for place in sorted(reads):
        before = [made_of[source] for source in reads[place]]
        made_of[place] = frozenset().union(*before) if before else frozenset([place])
        groups.setdefault(made_of[place], []).append(place)
    return sorted(groups.values())
