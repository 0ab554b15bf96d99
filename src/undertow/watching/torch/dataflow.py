"""How the layers of a model follow each other, read off the graph that autograd leaves of a pass.

Each node is visited once, after those that it reads. What a node hands on is either a *stream*, a
layer's output or a sum that layers' outputs have joined, perhaps scaled; or a *mixture*, made of
streams in any other way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from undertow.trace.dataflow import Edge
from undertow.watching.torch.activation_nodes import Node

Call = Any  # what stands for a layer's call: anything that can be a key
SUMS = ("AddBackward0", "SubBackward0")
PRODUCTS = ("MulBackward0", "DivBackward0")
LEAF = "torch::autograd::AccumulateGrad"
# Nodes that hand on all numbers, or some, as they are, and dropout, which does so on average.
CARRIERS = {
    "AliasBackward0",
    "CloneBackward0",
    "NativeDropoutBackward0",
    "NegBackward0",
    "PermuteBackward0",
    "ReshapeAliasBackward0",
    "SelectBackward0",
    "SliceBackward0",
    "SplitBackward0",
    "SqueezeBackward0",
    "SqueezeBackward1",
    "TBackward0",
    "ToCopyBackward0",
    "TransposeBackward0",
    "UnsafeViewBackward0",
    "UnsqueezeBackward0",
    "ViewBackward0",
}
MOST = 20_000  # edges; a graph of more is not kept


class Flow(NamedTuple):
    """What a node hands on: the layers it is made of, and of a stream the `last` to join it.

    `scale` is the factor between that layer's output and here; None where it is not known.
    """

    sources: frozenset[Call]
    last: Call | None = None
    scale: float | None = 1.0


def edges(calls: Mapping[Node, Call], *, packed: bool) -> list[Edge[Call]]:
    """Return how calls follow each other; `calls` are in the order in which they were made.

    Where saved tensors are `packed` away, factors are not looked at.

    >>> from torch import nn
    >>> first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    >>> x = first(torch.ones(1, 2))
    >>> y = second(x.tanh())
    >>> z = nn.Linear(2, 1)(x + 0.5 * y)
    >>> found = edges({x.grad_fn: (0, 1), y.grad_fn: (1, 1), z.grad_fn: (2, 1)}, packed=False)
    >>> for source, target, skip, scale in found:
    ...     print(source, target, skip, scale)
    (0, 1) (1, 1) False None
    (0, 1) (1, 1) True 0.5
    (1, 1) (2, 1) False None

    What reads a sum reads what the last layer has joined; `Edge` says what `skip` means.
    """
    order = {key: place for place, key in enumerate(calls.values())}
    found: dict[Edge[Call], None] = {}
    flows: dict[Node, Flow] = {}
    for node in inputs_first(calls):
        read = [
            (place, flows[before], before)
            for place, (before, _) in enumerate(node.next_functions)
            if before in flows
        ]
        key = calls.get(node)
        if key is not None:
            sources = {source for _, flow, _ in read for source in flow.sources} - {key}
            found |= dict.fromkeys(
                Edge(source, key, False, None) for source in sorted(sources, key=order.__getitem__)
            )
            flows[node] = Flow(frozenset([key]), key)
        elif not read:
            continue
        elif node.name() in SUMS and len(read) == 2:
            flows[node], joined = _sum(node, read, order)
            found |= dict.fromkeys(joined)
        else:
            flows[node] = _handed_on(node, read, packed=packed)
        if len(found) > MOST:
            return []
    return list(found)


def inputs_first(roots: Iterable[Node]) -> Iterator[Node]:
    """Yield all nodes behind some, each after the nodes that it reads."""
    seen: set[Node] = set()
    stack = [(root, False) for root in roots]
    while stack:
        node, is_done = stack.pop()
        if is_done:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack += [(before, False) for before, _ in node.next_functions if before is not None]


Read = list[tuple[int, Flow, Node]]  # place among the inputs, what comes there, from which node


def _sum(node: Node, read: Read, order: Mapping[Call, int]) -> tuple[Flow, list[Edge[Call]]]:
    """Join two flows: the one that a layer made last carries the sum's name."""
    whole = _size(node)
    streams = [
        (order[flow.last], flow, at)
        for at, (_, flow, before) in enumerate(read)
        if flow.last is not None and _size(before) == whole
    ]
    sources = frozenset(source for _, flow, _ in read for source in flow.sources)
    if not streams:
        return Flow(sources), []
    rank, flow, at = max(streams, key=lambda each: each[0])
    last = flow.last
    assert last is not None
    other = read[1 - at][1]
    if any(order[source] > rank for source in other.sources):
        # What is added was made of later layers, of which none joins as it is.
        return Flow(sources), []
    joined = [Edge(source, last, True, flow.scale) for source in other.sources if source != last]
    return Flow(frozenset([last]), last, flow.scale), sorted(joined, key=lambda e: order[e.source])


def _handed_on(node: Node, read: Read, *, packed: bool) -> Flow:
    name = node.name()
    if len(read) == 1:
        place, flow, _ = read[0]
        if name in CARRIERS or name in SUMS:
            return flow
        if name in PRODUCTS and flow.last is not None:
            factor = None if packed else _factor(node, place)
            if factor and flow.scale is not None:
                return flow._replace(scale=flow.scale * factor)
    return Flow(frozenset(source for _, flow, _ in read for source in flow.sources))


def _factor(node: Any, place: int) -> float | None:
    """Return by what a product multiplies its input; the root mean square of many factors."""
    others = [before for at, (before, _) in enumerate(node.next_functions) if at != place]
    if any(before is not None and before.name() != LEAF for before in others):
        return None
    is_quotient = node.name() == "DivBackward0"
    if is_quotient and place != 0:
        return None
    try:
        other = node._saved_other if place == 0 else node._saved_self
    except RuntimeError:  # it was freed
        return None
    if not isinstance(other, Tensor) or other.is_complex() or not other.numel():
        return None
    with torch.no_grad():
        found = float(other.double().square().mean().sqrt())
    if is_quotient:
        return 1 / found if found else None
    return found if math.isfinite(found) else None


def _size(node: Any) -> int | None:
    """Return how many numbers a node hands on; None where it does not say."""
    try:
        return math.prod(node._input_metadata[0].shape)
    except (AttributeError, IndexError, RuntimeError, TypeError):  # a node of the user's own
        return None
