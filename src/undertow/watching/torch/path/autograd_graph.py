"""The graph that autograd leaves of a forward pass, walked back from the loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from undertow.watching.torch.activation_nodes import Node

SUMS = ("AddBackward0", "SubBackward0")


class NodeOutput(NamedTuple):
    """A tensor of the graph: the node that made it, and which of the node's outputs it is.

    Equal to the plain pairs that a node lists as its `next_functions`.
    """

    node: Node
    number: int


class PathStep(NamedTuple):
    """A step along a path: through a node, from one of its outputs to one of its inputs."""

    start: NodeOutput
    place: int  # which input
    end: NodeOutput


# Node -> the tensors it read, in an order in which each node comes before those whose outputs it
# read. A node makes that list anew each time it is asked, which is why it is asked once.
Graph = Mapping[Node, tuple[tuple[Node, int], ...]]


def graph_behind(root: Node) -> Graph:
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


def nodes_between(graph: Graph, start: Node, end: Node | None = None) -> Graph:
    """Return the part of a graph that a path from one node to another may go through."""
    reached, found = {start}, {}
    for node, edges in graph.items():
        if node in reached:
            found[node] = edges
            reached.update(before for before, _ in edges)
    if end is None:
        return found
    ends = nodes_leading_to(found, {end})
    return {node: edges for node, edges in found.items() if node in ends}


def nodes_leading_to(graph: Graph, ends: Iterable[Node]) -> set[Node]:
    """Return the nodes of a graph from which a path leads to one of some, and those."""
    found = set(ends)
    for node in reversed(list(graph)):
        for before, _ in graph[node]:
            if before in found:
                found.add(node)
                break
    return found


def nodes_inside(graph: Graph, start: Node, source: Node) -> set[Node]:
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


def readers_of_each(graph: Graph) -> dict[tuple[Node, int], list[Node]]:
    """Return the nodes that read each tensor, once for each time they do."""
    found: dict[tuple[Node, int], list[Node]] = {}
    for node, edges in graph.items():
        for output in edges:
            if output[0] is not None:
                found.setdefault(output, []).append(node)
    return found


def longest_path(
    graph: Graph,
    start: NodeOutput,
    end: NodeOutput,
    marked: Collection[NodeOutput],
    size_of: Callable[[Node, int], float] | None,
) -> list[PathStep]:
    """Find the path from one tensor to another through most of the marked ones.

    Of several alike it is the one along which most arrives. `size_of` gives the norm of what a node
    hands to one of its inputs; a path on which nothing arrives, or no number, is none. With None
    all are paths. Without a path the list is empty.
    """
    best: dict[Node, tuple[int, float, PathStep | None]] = {start.node: (0, 0.0, None)}
    entered = {start.node: start}
    for node, edges in graph.items():
        if node not in best or node is end.node:
            continue
        count = best[node][0]
        for place, output in enumerate(edges):
            before = output[0]
            if before not in graph or (before is end.node and output != end):
                continue
            size = 1.0 if size_of is None else size_of(node, place)
            if not 0 < size < math.inf:
                continue
            score = (count + (output in marked), size)
            if before not in best or score > best[before][:2]:
                entered[before] = NodeOutput(*output)
                best[before] = (*score, PathStep(entered[node], place, entered[before]))
    strides: list[PathStep] = []
    node = end.node
    while node in best and (stride := best[node][2]):
        strides.append(stride)
        node = stride.start.node
    return strides[::-1]


def meeting_point(
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
