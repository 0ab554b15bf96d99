"""One pass forward and back, and what the gradient crosses on its way from layer to layer.

The graph that autograd leaves of the forward pass is walked from the last hidden layer's output
back to the first's. Of all ways there it takes the one through most layers; where several are
alike, the one along which most of the gradient comes. A hook on each node between tells the norms
of what leaves it, so that the gains along the way multiply exactly to the whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from undertow.errors import SpecError
from undertow.trace.way import Crossing, Way, WeightGradient
from undertow.watching import crossings, graph, layers
from undertow.watching.calls import is_compiled
from undertow.watching.graph import Gate, Graph, Stride
from undertow.watching.hooks import unwatched
from undertow.watching.norms import Number, norm, norms, numbers
from undertow.watching.passing import Call, check_batch, left_as_it_is, passed_forward, used
from undertow.watching.patches import readings
from undertow.watching.slopes import Node

NOTHING = 0.0  # came
NORM_WORD = "norm"  # in the name of a module's class: what it is made of is a normalisation
TOO_SHORT = (
    "no hidden layer lies behind another between the inputs and the loss: there is no way back to "
    "explain"
)


Readers = Mapping[tuple[Node, int], Sequence[Node]]


class Walked(NamedTuple):
    """What the nodes tell of the gradients that pass."""

    arrived: dict[tuple[Node, int], Any]  # at each tensor, from all its readers
    handed: dict[tuple[Node, int], Any]  # by a node to one of its inputs
    kept: dict[Node, Tensor]  # what arrived at a normalisation
    inner: dict[
        tuple[tuple[Node, int], int], Tensor
    ]  # at a tensor, from all its readers in one normalisation
    way: Graph  # all nodes that are listened to


class Plan(NamedTuple):
    """What is known of the graph before a gradient comes back."""

    whole: Graph
    readers: Readers
    calls: Sequence[Call]
    norms: Mapping[Node, int]  # nodes in a normalisation of several operations -> its call
    made: float  # the number of the model's last node


def way_back(model: nn.Module, loss_fn: Callable[..., Tensor], batch: tuple[Any, Any]) -> Way:
    """Measure what the gradient of one batch crosses; the model is left as it was.

    Raises
    ------
    SpecError
        A compiled model, a batch or a loss that cannot be, no hidden layer behind another.
    """
    modules = layers.modules(model)
    if is_compiled(model):
        raise SpecError(
            "the model is compiled, and compiled code shows no layers: give the model as it was "
            "before torch.compile"
        )
    check_batch(batch)
    held = dict.fromkeys(each.parameter for module in modules for each in module.weights)
    weights = [each for each in held if each.requires_grad]
    with left_as_it_is(model), unwatched(), torch.enable_grad():
        calls, loss, made = passed_forward(model, modules, loss_fn, batch)
        whole = _whole(loss)
        readers = graph.readers(whole)
        calls = used(calls, readers, loss.grad_fn)
        hidden = _hidden(calls, whole)
        last = hidden[-1]
        behind = graph.between(whole, last.gate.node)
        read = {gate for edges in behind.values() for gate in edges}
        first = next((call for call in hidden if call.gate in read), None)
        if first is None:
            raise SpecError(TOO_SHORT)
        way = graph.between(behind, last.gate.node, first.gate.node)
        plan = Plan(whole, readers, calls, _norms_of_several(calls, way), made)
        walked, handles = _listen(way, plan)
        handles += [
            call.gate.node.register_prehook(partial(_delta_comes, call))
            for call in calls
            if call.gate.node not in way
        ]
        # The deltas at both ends come by themselves, so that the sum of all terms has something to
        # meet; and so that the gradient goes as far where no weight that learns lies behind.
        ends: list[Any] = [GradientEdge(*call.gate) for call in (last, first)]
        # Not loss.backward(): that would fill .grad and run the hooks of an optimizer. The graph
        # is kept: what a node saved is looked at once the way is known.
        try:
            at_last, at_first, *grads = torch.autograd.grad(
                loss, ends + weights, allow_unused=True, retain_graph=True
            )
        finally:
            for handle in handles:  # a node and a hook that knows it would keep each other alive
                handle.remove()
        first_delta, last_delta = (
            NOTHING if each is None else _float(norm(each)) for each in (at_first, at_last)
        )
        walked = _waited_for(walked)
        walked.arrived.setdefault(first.gate, first_delta)
        marked = {call.gate for call in hidden}
        strides = graph.longest_way(way, last.gate, first.gate, marked, _handed(walked))
        # Where no gradient goes all the way, any way shows where it ends.
        strides = strides or graph.longest_way(way, last.gate, first.gate, marked, None)
        for call in calls:
            if not call.delta and call.gate in walked.arrived:
                call.delta.append(walked.arrived[call.gate])
        crossed, activations = _crossings(strides, hidden, walked, _weight_norms(held), plan)
        made_of = tuple(_weights(plan, weights, grads))
    on_way = {stride.end for stride in strides} | {last.gate}
    return Way(
        first.name,
        last.name,
        tuple(crossed),
        first_delta,
        last_delta,
        activations,
        made_of,
        tuple(call.name for call in hidden if call.gate not in on_way),
        attributes={"dtype": str(next(iter(held)).dtype).removeprefix("torch.")},
    )


def _whole(loss: Tensor) -> Graph:
    whole = graph.behind_loss(loss.grad_fn)
    if any(node.name() == "CheckpointFunctionBackward" for node in whole):
        raise SpecError(
            "checkpoint(use_reentrant=True) hides the layers in it: type  use_reentrant=False"
        )
    return whole


def _hidden(calls: Sequence[Call], whole: Graph) -> list[Call]:
    """Return the calls whose output another layer reads: the others are the network's outputs."""
    behind_another: set[Node] = set()
    above = {call.gate.node for call in calls}
    for node, edges in whole.items():
        if node in above or node in behind_another:
            behind_another.update(before for before, _ in edges)
    hidden = [call for call in calls if call.gate.node in behind_another]
    if len(hidden) < 2:
        raise SpecError(TOO_SHORT)
    return hidden


def _norms_of_several(calls: Sequence[Call], way: Graph) -> dict[Node, int]:
    """Return the nodes of normalisations that are made of several operations."""
    found: dict[Node, int] = {}
    for number, call in enumerate(calls):
        if _is_norm(call) and call.source is not None and call.gate.node in way:
            found.update(dict.fromkeys(graph.inside(way, call.gate.node, call.source), number))
    return found


def _listen(way: Graph, plan: Plan) -> tuple[Walked, list[Any]]:
    """Put a hook on each node, for the one backward pass to come."""
    walked, handles = Walked({}, {}, {}, {}, way), []

    def passed(node: Node, shared: Sequence[int], handed: Any, arrived: Any) -> None:
        for number, grad in enumerate(arrived):
            if grad is not None:
                walked.arrived[node, number] = norm(grad)
        for place in shared:
            if handed[place] is not None:
                walked.handed[node, place] = norm(handed[place])
                if node in plan.norms:
                    key = way[node][place], plan.norms[node]
                    part = handed[place].detach()
                    walked.inner[key] = walked.inner[key] + part if key in walked.inner else part
        if node.name() in crossings.KEEP_GRADIENT:
            walked.kept[node] = arrived[0].detach()

    for node, edges in way.items():
        # What only one node reads gets all of its gradient from there.
        shared = [
            place
            for place, gate in enumerate(edges)
            if gate[0] in way and len(plan.readers[gate]) > 1
        ]
        handles.append(node.register_hook(partial(passed, node, shared)))
    return walked, handles


def _waited_for(walked: Walked) -> Walked:
    """Read, at once, what lies on a device."""
    for found in (walked.arrived, walked.handed):
        if any(isinstance(value, Tensor) for value in found.values()):
            found.update(zip(found, numbers(list(found.values())).tolist(), strict=True))
    return walked


def _weight_norms(weights: Iterable[Tensor]) -> crossings.Known:
    """Return the norm of each weight, by where it lies: a node keeps a view of it."""
    plain = [each for each in weights if each.layout == torch.strided and not each.is_meta]
    keys = [(each.data_ptr(), each.numel()) for each in plain]
    return dict(zip(keys, norms(plain), strict=True))


def _delta_comes(call: Call, deltas: Sequence[Tensor | None]) -> None:
    delta = deltas[call.gate.number]
    if delta is not None:
        call.delta.append(norm(delta))


def _handed(walked: Walked) -> Callable[[Node, int], float]:
    """Return a function of a node and the place of an input: the norm of what it handed there."""

    def handed(node: Node, place: int) -> float:
        found = walked.handed.get((node, place))
        if found is None:
            found = walked.arrived.get(walked.way[node][place], NOTHING)
        return found

    return handed


def _crossings(
    strides: Sequence[Stride],
    hidden: Sequence[Call],
    walked: Walked,
    known: crossings.Known,
    plan: Plan,
) -> tuple[list[Crossing], dict[str, str]]:
    """Name what lies along a way, and the activation after each of its layers."""
    by_gate = {call.gate: call for call in hidden}
    handed = _handed(walked)
    found: list[Crossing] = []
    activations: dict[str, str] = {}
    here, within = by_gate[strides[0].start], True
    crossing_of = _Naming(walked, known, plan)
    joining = _Joining(strides, plan)
    for stride, row in zip(strides, _rows(strides, by_gate), strict=True):
        node, before = stride.start.node, walked.arrived.get(stride.start, NOTHING)
        within = within and node is not here.source
        after = handed(node, stride.place)
        crossing = crossing_of(stride, here.name if within else None, row, (before, after))
        if crossing:
            found.append(crossing)
            if crossing.kind == "activation":
                activations.setdefault(row, crossing.where)
        if len(plan.readers[stride.end]) > 1:
            found += joining(stride, row, after, walked)
        if stride.end in by_gate:
            here, within = by_gate[stride.end], True
    return found, activations


def _rows(strides: Sequence[Stride], by_gate: Mapping[Gate, Call]) -> list[str]:
    """Return to the gain of which layer each stride belongs: the next one on the way."""
    rows, name = [], ""
    for stride in reversed(strides):
        if stride.end in by_gate:
            name = by_gate[stride.end].name
        rows.append(name)
    return rows[::-1]


class _Joining:
    """Tells how the other readers of a tensor come together with the way again."""

    def __init__(self, strides: Sequence[Stride], plan: Plan) -> None:
        self._strides, self._plan = strides, plan

    def __call__(
        self, stride: Stride, row: str, after: float, walked: Walked
    ) -> Iterator[Crossing]:
        readers = self._plan.readers[stride.end]
        summed = walked.arrived.get(stride.end, NOTHING)
        others = list(readers)
        others.remove(stride.start.node)
        norm_ = self._plan.norms.get(stride.start.node)
        if norm_ is not None and any(self._plan.norms.get(each) == norm_ for each in others):
            others = [each for each in others if self._plan.norms.get(each) != norm_]
            inner = _float(norm(walked.inner[stride.end, norm_])) if others else summed
            yield Crossing(row, self._plan.calls[norm_].name, "norm_inner", after, inner)
            after = inner
        if others:
            yield Crossing(row, *self._how(others, len(readers)), after, summed)

    def _how(self, others: Sequence[Node], count: int) -> tuple[str, str]:
        for other in others:
            met = graph.joins(other, self._above, self._ways)
            # What comes together in the loss is no way around a layer.
            if met and met.name() in graph.SUMS and met._sequence_nr() <= self._plan.made:
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
        """The nodes of the way, and those between it and the loss."""
        found = graph.leading_to(self._plan.whole, {self._strides[0].start.node})
        return found | {stride.start.node for stride in self._strides}


class _Naming:
    """Tells what a step of the way crosses."""

    def __init__(self, walked: Walked, known: crossings.Known, plan: Plan) -> None:
        self._walked, self._known, self._plan = walked, known, plan

    @cached_property
    def _data(self) -> set[Node]:
        """The nodes that come from a layer."""
        return graph.leading_to(self._plan.whole, [call.gate.node for call in self._plan.calls])

    def _is_data(self, factor: Node) -> bool:
        whole = self._plan.whole
        # A weight that is only turned round is told at once.
        return any(whole[before] for before, _ in whole[factor] if before) and factor in self._data

    def __call__(
        self, stride: Stride, layer: str | None, row: str, ends: tuple[float, float]
    ) -> Crossing | None:
        """Return the crossing; None where the gradient stays as it is. `layer` is what is in."""
        node = stride.start.node
        if active := crossings.activation(node):
            name, largest, slope_rms = active
            numbers_ = {"largest": largest, "slope_rms": slope_rms}
            return Crossing(row, name, "activation", *ends, numbers_)

        def is_data(factor: Node | None) -> bool:
            # Of what needs no gradient only a layer tells that it is a weight, a frozen one.
            return layer is None if factor is None else self._is_data(factor)

        scale = crossings.weight_scale(node, stride.place, is_data, self._known)
        if scale is not None:
            named = layer or crossings.operation(node)
            return Crossing(row, named, "weights", *ends, {"scale": scale})
        where = crossings.operation(node)
        in_norm = self._plan.norms.get(node)
        named = where if in_norm is None else self._plan.calls[in_norm].name
        if node in self._walked.kept:
            scale_rms, scaled = crossings.rescaling(node, self._walked.kept[node])
            numbers_ = {"scale_rms": scale_rms, "scaled": scaled}
            return Crossing(row, named, "norm", *ends, numbers_)
        if in_norm is not None:
            return Crossing(row, named, "norm_inner", *ends)
        return None if ends[0] == ends[1] else Crossing(row, where, "other", *ends)


def _is_norm(call: Call) -> bool:
    return NORM_WORD in type(call.module.module).__name__.lower()


def _weights(
    plan: Plan, weights: Sequence[Tensor], grads: Sequence[Tensor | None]
) -> Iterator[WeightGradient]:
    """Yield what makes the gradient of each weight that is used once, by one call."""
    by_id = zip(map(id, weights), grads, strict=True)
    there = {each: grad for each, grad in by_id if grad is not None}
    sizes = dict(zip(there, norms(list(there.values())), strict=True))
    used = Counter(id(weight.parameter) for call in plan.calls for weight in call.module.weights)
    # Also by what is no layer: a function that takes the weight, a penalty in the loss.
    reads = {
        id(node.variable): len(plan.readers[node, 0])
        for node, edges in plan.whole.items()
        if not edges and hasattr(node, "variable")
    }
    once, read = [], []
    for call in plan.calls:
        module, own = call.module.module, call.module.weights
        if len(own) == 1 and call.input is not None and len(call.delta) == 1:
            weight = id(own[0].parameter)
            is_own = own[0].parameter is getattr(module, "weight", None)
            if is_own and weight in sizes and used[weight] == reads.get(weight) == 1:
                once.append((call, sizes[weight]))
                read.append((module, call.input, call.shape))
    for (call, size), found in zip(once, readings(read), strict=True):
        if found:
            grad, delta = _float(size), _float(call.delta[0])
            yield WeightGradient(call.name, grad, delta, found.size, found.rows)


def _float(value: Number) -> float:
    return value if isinstance(value, float) else float(numbers([value])[0])
