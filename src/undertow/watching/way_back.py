"""One pass forward and back, and what the gradient crosses on its way from layer to layer.

The graph that autograd leaves of the forward pass is walked from the last hidden layer's output
back to the first's. Of all ways there it takes the one through most layers; where several are
alike, the one along which most of the gradient comes. A hook on each node between tells the norms
of what leaves it, so that the gains along the way multiply exactly to the whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from undertow.errors import SpecError
from undertow.trace.way import Crossing, Way, WeightGradient
from undertow.watching import crossings, graph, layers
from undertow.watching.calls import is_compiled, tensors
from undertow.watching.graph import Gate, Graph, Stride
from undertow.watching.hooks import unwatched
from undertow.watching.norms import Number, norm, norms, numbers
from undertow.watching.passing import check_batch, check_loss, left_as_it_is, output_of
from undertow.watching.patches import readings
from undertow.watching.slopes import Node

NAN = float("nan")
NORM_WORD = "norm"  # in the name of a module's class: what it is made of is a normalisation
TOO_SHORT = (
    "no hidden layer lies behind another between the inputs and the loss: there is no way back to "
    "explain"
)


Readers = Mapping[tuple[Node, int], Sequence[Node]]


class Call(NamedTuple):
    """A layer's call: where its output and its input were made in the graph."""

    name: str
    module: layers.Module
    gate: Gate
    shape: tuple[int, ...]
    source: Node | None
    input: Tensor | None
    delta: list[Number]  # |dE/dz|, once the gradient has come by


class Walked(NamedTuple):
    """What the nodes tell of the gradients that pass."""

    arrived: dict[tuple[Node, int], Any]  # at each tensor, from all its readers
    handed: dict[tuple[Node, int], Any]  # by a node to one of its inputs
    kept: dict[Node, Tensor]  # what arrived at a normalisation
    way: Graph  # all nodes that are listened to

    def is_data(self, node: Node) -> bool:
        """Tell whether a factor comes from the first layer, or is a weight."""
        return node in self.way


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
    parameters = [each for each in model.parameters() if each.requires_grad]
    with left_as_it_is(model), unwatched(), torch.enable_grad():
        calls, loss = _forward(model, modules, loss_fn, batch)
        whole = graph.behind_loss(loss.grad_fn)
        calls = [call for call in calls if call.gate.node in whole]
        hidden = _hidden(calls, whole)
        last = hidden[-1]
        behind = graph.between(whole, last.gate.node)
        first = next(call for call in hidden if call.gate.node in behind)
        if first is last:
            raise SpecError(TOO_SHORT)
        way = graph.between(behind, last.gate.node, first.gate.node)
        readers = graph.readers(whole)
        walked, handles = _listen(way, readers)
        # The deltas at both ends come by hooks of their own, so that the sum of all terms has
        # something to meet.
        handles += [
            call.gate.node.register_prehook(partial(_delta_comes, call))
            for call in calls
            if call is first or call is last or call.gate.node not in way
        ]
        # Not loss.backward(): that would fill .grad and run the hooks of an optimizer. The graph
        # is kept: what a node saved is looked at once the way is known.
        try:
            grads = torch.autograd.grad(loss, parameters, allow_unused=True, retain_graph=True)
        finally:
            for handle in handles:  # a node and a hook that knows it would keep each other alive
                handle.remove()
        walked = _waited_for(walked)
        known = _weight_norms(modules)
        marked = {call.gate for call in hidden}
        strides = graph.longest_way(way, last.gate, first.gate, marked, _handed(walked))
        # Where no gradient goes all the way, any way shows where it ends.
        strides = strides or graph.longest_way(way, last.gate, first.gate, marked, None)
        for call in calls:
            if not call.delta and call.gate in walked.arrived:
                call.delta.append(walked.arrived[call.gate])
        crossed, activations = _crossings(strides, hidden, walked, known, whole, readers)
    on_way = {stride.end for stride in strides} | {last.gate}
    return Way(
        first.name,
        last.name,
        tuple(crossed),
        _float(first.delta),
        _float(last.delta),
        activations,
        tuple(_weights(calls, parameters, grads)),
        tuple(call.name for call in hidden if call.gate not in on_way),
        attributes={"dtype": str(parameters[0].dtype).removeprefix("torch.")},
    )


def _forward(
    model: nn.Module,
    modules: Sequence[layers.Module],
    loss_fn: Callable[..., Tensor],
    batch: tuple[Any, Any],
) -> tuple[list[Call], Tensor]:
    calls: list[Call] = []
    counts: dict[str, int] = {}

    def called(module: layers.Module, _: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        found = next((each for each in tensors(output) if each.grad_fn is not None), None)
        if found is None or not found.numel():
            return
        name = module.path or type(module.module).__name__
        counts[name] = counts.get(name, 0) + 1
        name += f"#{counts[name]}" if counts[name] > 1 else ""
        given = next(tensors(inputs), None)
        call = Call(
            name,
            module,
            Gate(found.grad_fn, found.output_nr),
            tuple(found.shape),
            None if given is None else given.grad_fn,
            None if given is None else given.detach(),
            [],
        )
        calls.append(call)

    handles = [
        module.module.register_forward_hook(partial(called, module))
        for module in modules
        if not isinstance(module.module, torch.jit.ScriptModule)  # which takes no hooks
    ]
    try:
        loss = loss_fn(output_of(model, batch[0]), batch[1])
    finally:
        for handle in handles:
            handle.remove()
    check_loss(loss)
    return calls, loss


def _hidden(calls: Sequence[Call], whole: Graph) -> list[Call]:
    """Return the calls whose output another layer reads: the others are the network's outputs."""
    behind_another: set[Node] = set()
    above = {call.gate.node for call in calls}
    for node, edges in whole.items():
        if node in above or node in behind_another:
            behind_another.update(before for before, _ in edges)
    hidden = [call for call in calls if call.gate.node in behind_another]
    if not hidden:
        raise SpecError(TOO_SHORT)
    return hidden


def _listen(way: Graph, readers: Readers) -> tuple[Walked, list[Any]]:
    """Put a hook on each node, for the one backward pass to come."""
    walked, handles = Walked({}, {}, {}, way), []

    def passed(node: Node, shared: Sequence[int], handed: Any, arrived: Any) -> None:
        for number, grad in enumerate(arrived):
            if grad is not None:
                walked.arrived[node, number] = norm(grad)
        for place in shared:
            if handed[place] is not None:
                walked.handed[node, place] = norm(handed[place])
        if node.name() in crossings.KEEP_GRADIENT:
            walked.kept[node] = arrived[0].detach()

    for node, edges in way.items():
        # What only one node reads gets all of its gradient from there.
        shared = [
            place for place, gate in enumerate(edges) if gate[0] in way and len(readers[gate]) > 1
        ]
        handles.append(node.register_hook(partial(passed, node, shared)))
    return walked, handles


def _waited_for(walked: Walked) -> Walked:
    """Read, at once, what lies on a device."""
    for found in (walked.arrived, walked.handed):
        if any(isinstance(value, Tensor) for value in found.values()):
            found.update(zip(found, numbers(list(found.values())).tolist(), strict=True))
    return walked


def _weight_norms(modules: Sequence[layers.Module]) -> crossings.Known:
    """Return the norm of each weight, by where it lies: a node keeps a view of it."""
    held = {weight.parameter for module in modules for weight in module.weights}
    plain = [each for each in held if each.layout == torch.strided and not each.is_meta]
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
            found = walked.arrived.get(walked.way[node][place], NAN)
        return found

    return handed


def _crossings(
    strides: Sequence[Stride],
    hidden: Sequence[Call],
    walked: Walked,
    known: crossings.Known,
    whole: Graph,
    readers: Readers,
) -> tuple[list[Crossing], dict[str, str]]:
    """Name what lies along a way, and the activation after each of its layers."""
    by_gate = {call.gate: call for call in hidden}
    handed = _handed(walked)
    found: list[Crossing] = []
    activations: dict[str, str] = {}
    here = by_gate[strides[0].start]
    rows = _rows(strides, by_gate)
    joining = _Joining(strides, whole, readers)
    inside = _is_norm(here)
    for stride, row in zip(strides, rows, strict=True):
        node, before = stride.start.node, walked.arrived.get(stride.start, NAN)
        after = handed(node, stride.place)
        inside = inside and node is not here.source
        crossing = _crossing(stride, here, row, (before, after), walked, known, inside=inside)
        if crossing:
            found.append(crossing)
            if crossing.kind == "activation":
                activations.setdefault(row, crossing.where)
        if len(readers[stride.end]) > 1:
            kind, where = joining([each for each in readers[stride.end] if each is not node])
            summed = walked.arrived.get(stride.end, NAN)
            found.append(Crossing(row, where, kind, after, summed))
        if stride.end in by_gate:
            here = by_gate[stride.end]
            inside = _is_norm(here)
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

    def __init__(self, strides: Sequence[Stride], whole: Graph, readers: Readers) -> None:
        self._strides, self._whole, self._readers = strides, whole, readers

    def __call__(self, others: Sequence[Node]) -> tuple[str, str]:
        for other in others:
            met = graph.joins(other, self._above, self._ways)
            if met is not None and met.name() in graph.SUMS:
                return "skip", "around a branch"
        return "fan_out", f"{len(others) + 1} readers"

    @cached_property
    def _above(self) -> dict[Node, list[Node]]:
        """The readers of all that a node puts out."""
        above: dict[Node, list[Node]] = {}
        for (node, _), nodes in self._readers.items():
            above.setdefault(node, []).extend(nodes)
        return above

    @cached_property
    def _ways(self) -> set[Node]:
        """The nodes of the way, and those between it and the loss."""
        found = graph.leading_to(self._whole, self._strides[0].start.node)
        return found | {stride.start.node for stride in self._strides}


def _crossing(
    stride: Stride,
    here: Call,
    row: str,
    ends: tuple[float, float],
    walked: Walked,
    known: crossings.Known,
    *,
    inside: bool,
) -> Crossing | None:
    node = stride.start.node
    if active := crossings.activation(node):
        name, largest, slope_rms = active
        numbers_ = {"largest": largest, "slope_rms": slope_rms}
        return Crossing(row, name, "activation", *ends, numbers_)
    scale = crossings.weight_scale(node, stride.place, walked.is_data, known)
    if scale is not None:
        return Crossing(row, here.name, "weights", *ends, {"scale": scale})
    where = crossings.operation(node)
    if node in walked.kept:
        scale_rms, scaled = crossings.rescaling(node, walked.kept[node])
        numbers_ = {"scale_rms": scale_rms, "scaled": scaled}
        named = here.name if _is_norm(here) else where
        return Crossing(row, named, "norm", *ends, numbers_)
    if inside:
        return Crossing(row, here.name, "norm_inner", *ends)
    return None if ends[0] == ends[1] else Crossing(row, where, "other", *ends)


def _is_norm(call: Call) -> bool:
    return NORM_WORD in type(call.module.module).__name__.lower()


def _weights(
    calls: Sequence[Call], parameters: Sequence[nn.Parameter], grads: Sequence[Tensor | None]
) -> Iterator[WeightGradient]:
    """Yield what makes the gradient of each weight that is used once, by one call."""
    there = {
        id(parameter): grad
        for parameter, grad in zip(parameters, grads, strict=True)
        if grad is not None
    }
    sizes = dict(zip(there, norms(list(there.values())), strict=True))
    used = Counter(id(weight.parameter) for call in calls for weight in call.module.weights)
    once = [
        call
        for call in calls
        if len(call.module.weights) == 1
        and used[id(call.module.weights[0].parameter)] == 1
        and id(call.module.weights[0].parameter) in sizes
        and call.input is not None
        and len(call.delta) == 1
    ]
    read = readings([(call.module.module, call.input, call.shape) for call in once])
    for call, found in zip(once, read, strict=True):
        if found:
            grad = _float([sizes[id(call.module.weights[0].parameter)]])
            yield WeightGradient(call.name, grad, _float(call.delta), found.size, found.rows)


def _float(values: Sequence[Number]) -> float:
    """Return the one number; NaN where none or several came."""
    if len(values) != 1:
        return NAN
    value = values[0]
    return value if isinstance(value, float) else float(numbers([value])[0])
