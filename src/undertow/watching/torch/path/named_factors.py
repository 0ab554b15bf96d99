"""What lies along a gradient's path: each thing that it crosses, named, with its norms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from torch import Tensor

from undertow.trace.gradient_path import Factor
from undertow.watching.torch.activation_nodes import Node
from undertow.watching.torch.norms import as_float, norm
from undertow.watching.torch.path import autograd_graph, node_kinds
from undertow.watching.torch.path.autograd_graph import Graph, NodeOutput, PathStep
from undertow.watching.torch.probe_pass import (
    ProbeCall,
)

NOTHING = 0.0  # came


Readers = Mapping[tuple[Node, int], Sequence[Node]]


class MeasuredNodes(NamedTuple):
    """What the nodes tell of the gradients that pass."""

    arrived: dict[tuple[Node, int], Any]  # at each tensor, from all its readers
    handed: dict[tuple[Node, int], Any]  # by a node to one of its inputs
    kept: dict[Node, Tensor]  # what arrived at a normalisation
    inner: dict[
        tuple[tuple[Node, int], int], Tensor
    ]  # at a tensor, from all its readers in one normalisation
    graph: Graph  # all nodes that are listened to


class KnownGraph(NamedTuple):
    """What is known of the graph before a gradient comes back."""

    whole: Graph
    readers: Readers
    calls: Sequence[ProbeCall]
    norms: Mapping[Node, int]  # nodes in a normalisation of several operations -> its call
    made: float  # the number of the model's last node


def handed_on(measured: MeasuredNodes) -> Callable[[Node, int], float]:
    """Return a function of a node and the place of an input: the norm of what it handed there."""

    def handed(node: Node, place: int) -> float:
        found = measured.handed.get((node, place))
        if found is None:
            found = measured.arrived.get(measured.graph[node][place], NOTHING)
        return found

    return handed


def name_factors(
    steps: Sequence[PathStep],
    hidden: Sequence[ProbeCall],
    measured: MeasuredNodes,
    known: node_kinds.Known,
    plan: KnownGraph,
) -> tuple[list[Factor], dict[str, str]]:
    """Name what lies along a path, and the activation after each of its layers."""
    by_output = {call.output: call for call in hidden}
    handed_by = handed_on(measured)
    found: list[Factor] = []
    activations: dict[str, str] = {}
    here, within = by_output[steps[0].start], True
    name_factor = _Naming(measured, known, plan)
    joining = _Joining(steps, plan)
    for step, row in zip(steps, _rows(steps, by_output), strict=True):
        node, before = step.start.node, measured.arrived.get(step.start, NOTHING)
        within = within and node is not here.source
        after = handed_by(node, step.place)
        factor = name_factor(step, here.name if within else None, row, (before, after))
        if factor:
            found.append(factor)
            if factor.kind == "activation":
                activations.setdefault(row, factor.where)
        if len(plan.readers[step.end]) > 1:
            found += joining(step, row, after, measured)
        if step.end in by_output:
            here, within = by_output[step.end], True
    return found, activations


def _rows(steps: Sequence[PathStep], by_output: Mapping[NodeOutput, ProbeCall]) -> list[str]:
    """Return to the gain of which layer each step belongs: the next one on the path."""
    rows, name = [], ""
    for step in reversed(steps):
        if step.end in by_output:
            name = by_output[step.end].name
        rows.append(name)
    return rows[::-1]


class _Joining:
    """Tells how the other readers of a tensor come together with the path again."""

    def __init__(self, steps: Sequence[PathStep], plan: KnownGraph) -> None:
        self._strides, self._plan = steps, plan

    def __call__(
        self, step: PathStep, row: str, after: float, measured: MeasuredNodes
    ) -> Iterator[Factor]:
        readers = self._plan.readers[step.end]
        summed = measured.arrived.get(step.end, NOTHING)
        others = list(readers)
        others.remove(step.start.node)
        norm_ = self._plan.norms.get(step.start.node)
        if norm_ is not None and any(self._plan.norms.get(each) == norm_ for each in others):
            others = [each for each in others if self._plan.norms.get(each) != norm_]
            inner = as_float(norm(measured.inner[step.end, norm_])) if others else summed
            yield Factor(row, self._plan.calls[norm_].name, "norm_inner", after, inner)
            after = inner
        if others:
            yield Factor(row, *self._how(others, len(readers)), after, summed)

    def _how(self, others: Sequence[Node], count: int) -> tuple[str, str]:
        for other in others:
            met = autograd_graph.meeting_point(other, self._above, self._ways)
            # What comes together in the loss is no way around a layer.
            if met and met.name() in autograd_graph.SUMS and met._sequence_nr() <= self._plan.made:
                return "around a branch", "skip"
        return f"{count} readers", "fan_out"

    @cached_property
    def _above(self) -> dict[Node, list[Node]]:
        """The readers of all that a node puts out."""
        above: dict[Node, list[Node]] = {}
        for (node, _), nodes in self._plan.readers.items():
            above.setdefault(node, []).extend(nodes)
        return above

    @cached_property
    def _ways(self) -> set[Node]:
        """The nodes of the path, and those between it and the loss."""
        found = autograd_graph.nodes_leading_to(self._plan.whole, {self._strides[0].start.node})
        return found | {step.start.node for step in self._strides}


class _Naming:
    """Names the factor that a step of the path crosses."""

    def __init__(self, measured: MeasuredNodes, known: node_kinds.Known, plan: KnownGraph) -> None:
        self._walked, self._known, self._plan = measured, known, plan

    @cached_property
    def _data(self) -> set[Node]:
        """The nodes that come from a layer."""
        return autograd_graph.nodes_leading_to(
            self._plan.whole, [call.output.node for call in self._plan.calls]
        )

    def _is_data(self, factor: Node) -> bool:
        whole = self._plan.whole
        # A weight that is only turned round is told at once.
        return any(whole[before] for before, _ in whole[factor] if before) and factor in self._data

    def __call__(
        self, step: PathStep, layer: str | None, row: str, ends: tuple[float, float]
    ) -> Factor | None:
        """Return the factor; None where the gradient stays as it is. `layer` is what is in."""
        node = step.start.node
        if active := node_kinds.activation(node):
            name, largest, slope_rms = active
            numbers_ = {"largest": largest, "slope_rms": slope_rms}
            return Factor(row, name, "activation", *ends, numbers_)

        def is_data(factor: Node | None) -> bool:
            # Of what needs no gradient only a layer tells that it is a weight, a frozen one.
            return layer is None if factor is None else self._is_data(factor)

        scale = node_kinds.weight_scale(node, step.place, is_data, self._known)
        if scale is not None:
            named = layer or node_kinds.operation(node)
            return Factor(row, named, "weights", *ends, {"scale": scale})
        where = node_kinds.operation(node)
        in_norm = self._plan.norms.get(node)
        named = where if in_norm is None else self._plan.calls[in_norm].name
        if node in self._walked.kept:
            scale_rms, scaled = node_kinds.rescaling(node, self._walked.kept[node])
            numbers_ = {"scale_rms": scale_rms, "scaled": scaled}
            return Factor(row, named, "norm", *ends, numbers_)
        if in_norm is not None:
            return Factor(row, named, "norm_inner", *ends)
        return None if ends[0] == ends[1] else Factor(row, where, "other", *ends)
