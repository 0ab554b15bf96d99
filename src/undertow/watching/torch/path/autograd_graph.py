"""The graph that autograd leaves of a forward pass, walked on the way back from the loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from undertow.watching.torch.activation_nodes import Node

SUMS = ("AddBackward0", "SubBackward0")


class Gate(NamedTuple):
    """A tensor of the graph: the node that made it, and which of the node's outputs it is.

    Equal to the plain pairs that a node lists as its `next_functions`.
    """

    node: Node
    number: int


class Stride(NamedTuple):
    """A step along a way back: through a node, from one of its outputs to one of its inputs."""

    start: Gate
    place: int  # which input
    end: Gate


# Node -> the tensors it read, in an order in which each node comes before those whose outputs it
# read. A node makes that list anew each time it is asked, which is why it is asked once.
Graph = Mapping[Node, tuple[tuple[Node, int], ...]]


def behind_loss(root: Node) -> Graph:
    """Return the graph of a loss."""
    edges: dict[Node, tuple[tuple[Node, int], ...]] = {}
    done: list[Node] = []
    stack = [(root, False)]
    while stack:
        node, is_done = stack.pop()
        if is_done:
            done.append(node)
        elif node not in edges:
            edges[node] = node.next_functions
            stack.append((node, True))
            for before, _ in edges[node]:
                if before is not None and before not in edges:
                    stack.append((before, False))
    return {node: edges[node] for node in reversed(done)}


def between(graph: Graph, start: Node, end: Node | None = None) -> Graph:
    """Return the part of a graph that the way back from one node to another may go through."""
    reached, found = {start}, {}
    for node, edges in graph.items():
        if node in reached:
            found[node] = edges
            reached.update(before for before, _ in edges)
    if end is None:
        return found
    ends = leading_to(found, {end})
    return {node: edges for node, edges in found.items() if node in ends}


def leading_to(graph: Graph, ends: Iterable[Node]) -> set[Node]:
    """Return the nodes of a graph from which the way back comes to one of some, and those."""
    found = set(ends)
    for node in reversed(list(graph)):
        for before, _ in graph[node]:
            if before in found:
                found.add(node)
                break
    return found


def inside(graph: Graph, start: Node, source: Node) -> set[Node]:
    """Return the nodes that were made from `source` on and that `start` was made of."""
    since = source._sequence_nr()
    found: set[Node] = set()
    stack = [start]
    while stack:
        node = stack.pop()
        if node in graph and node not in found and node._sequence_nr() > since:
            found.add(node)
            stack.extend(before for before, _ in graph[node])
    return found


def readers(graph: Graph) -> dict[tuple[Node, int], list[Node]]:
    """Return the nodes that read each tensor, once for each time they do."""
    found: dict[tuple[Node, int], list[Node]] = {}
    for node, edges in graph.items():
        for gate in edges:
            if gate[0] is not None:
                found.setdefault(gate, []).append(node)
    return found


def longest_way(
    graph: Graph,
    start: Gate,
    end: Gate,
    marked: Collection[Gate],
    size_of: Callable[[Node, int], float] | None,
) -> list[Stride]:
    """Find the way back from one tensor to another through most of the marked ones.

    Of several alike it is the one along which most arrives. `size_of` gives the norm of what a node
    hands to one of its inputs; a way on which nothing arrives, or no number, is none. With None all
    are ways. Without a way the list is empty.
    """
    best: dict[Node, tuple[int, float, Stride | None]] = {start.node: (0, 0.0, None)}
    entered = {start.node: start}
    for node, edges in graph.items():
        if node not in best or node is end.node:
            continue
        count = best[node][0]
        for place, gate in enumerate(edges):
            before = gate[0]
            if before not in graph or (before is end.node and gate != end):
                continue
            size = 1.0 if size_of is None else size_of(node, place)
            if not 0 < size < math.inf:
                continue
            score = (count + (gate in marked), size)
            if before not in best or score > best[before][:2]:
                entered[before] = Gate(*gate)
                best[before] = (*score, Stride(entered[node], place, entered[before]))
    strides: list[Stride] = []
    node = end.node
    while node in best and (stride := best[node][2]):
        strides.append(stride)
        node = stride.start.node
    return strides[::-1]


def joins(
    node: Node, all_readers: Mapping[Node, Collection[Node]], ways: Collection[Node]
) -> Node | None:
    """Return where a side branch that begins at `node` comes upon one of `ways`, if it does."""
    level, seen = [node], {node}
    while level:
        for each in level:
            if each in ways:
                return each
        above = dict.fromkeys(up for each in level for up in all_readers.get(each, ()))
        level = [each for each in above if each not in seen]
        seen.update(level)
    return None
