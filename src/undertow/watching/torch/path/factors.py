"""One pass forward and back, and every factor that the gradient crosses from layer to layer.

The graph that autograd leaves of the forward pass is walked from the last hidden layer's output
back to the first's. Of all paths there it takes the one through most layers; where several are
alike, the one along which most of the gradient comes. A hook on each node between tells the norms
of what leaves it, so that the gains along the path multiply exactly to the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from undertow.errors import SpecError
from undertow.trace.gradient_path import GradientPath
from undertow.watching.torch import layers
from undertow.watching.torch.activation_nodes import Node
from undertow.watching.torch.hooks import without_watches
from undertow.watching.torch.layer_calls import is_compiled
from undertow.watching.torch.norms import as_float, norm, norms, numbers
from undertow.watching.torch.path import autograd_graph, node_kinds
from undertow.watching.torch.path.autograd_graph import Graph
from undertow.watching.torch.path.named_factors import (
    NOTHING,
    KnownGraph,
    MeasuredNodes,
    handed_on,
    name_factors,
)
from undertow.watching.torch.path.weight_gradients import weight_gradients
from undertow.watching.torch.probe_pass import (
    ProbeCall,
    calls_behind,
    check_batch,
    run_forward,
    undisturbed,
)

NORM_WORD = "norm"  # in the name of a module's class: what it is made of is a normalisation
TOO_SHORT = (
    "no hidden layer lies behind another between the inputs and the loss: there is no way back to "
    "explain"
)


def gradient_path(
    model: nn.Module, loss_fn: Callable[..., Tensor], batch: tuple[Any, Any]
) -> GradientPath:
    """Measure what the gradient of one batch crosses; the model is left as it was.

    >>> model = nn.Sequential(nn.Linear(2, 8), nn.Sigmoid(), nn.Linear(8, 8), nn.Linear(8, 1))
    >>> batch = torch.ones(4, 2), torch.zeros(4, 1)
    >>> path = gradient_path(model, nn.functional.mse_loss, batch)
    >>> path.last, path.first, [(factor.where, factor.kind) for factor in path.factors]
    ('2', '0', [('2', 'weights'), ('sigmoid', 'activation')])

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
    with undisturbed(model), without_watches(), torch.enable_grad():
        calls, loss, made = run_forward(model, modules, loss_fn, batch)
        whole = _graph_of_loss(loss)
        readers = autograd_graph.readers_of_each(whole)
        calls = calls_behind(calls, readers, loss.grad_fn)
        stretch = _stretch(calls, whole)
        graph = stretch.graph
        plan = KnownGraph(whole, readers, calls, _norms_of_several(calls, graph), made)
        measured, first_delta, last_delta, grads = _backward(loss, stretch, plan, weights)
        steps = _steps(stretch, measured)
        for call in calls:
            if not call.delta and call.output in measured.arrived:
                call.delta.append(measured.arrived[call.output])
        crossed, activations = name_factors(
            steps, stretch.hidden, measured, _weight_norms(held), plan
        )
        made_of = tuple(weight_gradients(plan, weights, grads))
    on_way = {step.end for step in steps} | {stretch.last.output}
    return GradientPath(
        stretch.first.name,
        stretch.last.name,
        tuple(crossed),
        first_delta,
        last_delta,
        activations,
        made_of,
        tuple(call.name for call in stretch.hidden if call.output not in on_way),
        attributes={"dtype": str(next(iter(held)).dtype).removeprefix("torch.")},
    )


class _Stretch(NamedTuple):
    """What the path runs through: the hidden calls, its two ends, and the nodes between them."""

    hidden: list[ProbeCall]
    first: ProbeCall
    last: ProbeCall
    graph: Graph


def _stretch(calls: Sequence[ProbeCall], whole: Graph) -> _Stretch:
    hidden = _hidden_calls(calls, whole)
    last = hidden[-1]
    behind = autograd_graph.nodes_between(whole, last.output.node)
    read = {output for edges in behind.values() for output in edges}
    first = next((call for call in hidden if call.output in read), None)
    if first is None:
        raise SpecError(TOO_SHORT)
    graph = autograd_graph.nodes_between(behind, last.output.node, first.output.node)
    return _Stretch(hidden, first, last, graph)


def _backward(
    loss: Tensor, stretch: _Stretch, plan: KnownGraph, weights: Sequence[Tensor]
) -> tuple[MeasuredNodes, float, float, list[Tensor | None]]:
    """Measure one backward pass: all nodes, the deltas at both ends, the weights' gradients."""
    measured, handles = _put_hooks(stretch.graph, plan)
    handles += [
        call.output.node.register_prehook(partial(_delta_comes, call))
        for call in plan.calls
        if call.output.node not in stretch.graph
    ]
    # The deltas at both ends come by themselves, so that the sum of all terms has something to
    # meet; and so that the gradient goes as far where no weight that learns lies behind.
    ends: list[Any] = [GradientEdge(*call.output) for call in (stretch.last, stretch.first)]
    # Not loss.backward(): that would fill .grad and run the hooks of an optimizer. The graph
    # is kept: what a node saved is looked at once the path is known.
    try:
        at_last, at_first, *grads = torch.autograd.grad(
            loss, [*ends, *weights], allow_unused=True, retain_graph=True
        )
    finally:
        for handle in handles:  # a node and a hook that knows it would keep each other alive
            handle.remove()
    first_delta, last_delta = (
        NOTHING if each is None else as_float(norm(each)) for each in (at_first, at_last)
    )
    measured = _wait_for_device(measured)
    measured.arrived.setdefault(stretch.first.output, first_delta)
    return measured, first_delta, last_delta, grads


def _steps(stretch: _Stretch, measured: MeasuredNodes) -> list[autograd_graph.PathStep]:
    """Return the path through most layers; where no gradient goes all along it, any shows where."""
    ends = stretch.last.output, stretch.first.output
    marked = {call.output for call in stretch.hidden}
    found = autograd_graph.longest_path(stretch.graph, *ends, marked, handed_on(measured))
    return found or autograd_graph.longest_path(stretch.graph, *ends, marked, None)


def _graph_of_loss(loss: Tensor) -> Graph:
    whole = autograd_graph.graph_behind(loss.grad_fn)
    if any(node.name() == "CheckpointFunctionBackward" for node in whole):
        raise SpecError(
            "checkpoint(use_reentrant=True) hides the layers in it: type  use_reentrant=False"
        )
    return whole


def _hidden_calls(calls: Sequence[ProbeCall], whole: Graph) -> list[ProbeCall]:
    """Return the calls whose output another layer reads: the others are the network's outputs."""
    behind_another: set[Node] = set()
    above = {call.output.node for call in calls}
    for node, edges in whole.items():
        if node in above or node in behind_another:
            behind_another.update(before for before, _ in edges)
    hidden = [call for call in calls if call.output.node in behind_another]
    if len(hidden) < 2:
        raise SpecError(TOO_SHORT)
    return hidden


def _norms_of_several(calls: Sequence[ProbeCall], graph: Graph) -> dict[Node, int]:
    """Return the nodes of normalisations that are made of several operations."""
    found: dict[Node, int] = {}
    for number, call in enumerate(calls):
        if _is_norm(call) and call.source is not None and call.output.node in graph:
            found.update(
                dict.fromkeys(
                    autograd_graph.nodes_inside(graph, call.output.node, call.source), number
                )
            )
    return found


def _put_hooks(graph: Graph, plan: KnownGraph) -> tuple[MeasuredNodes, list[Any]]:
    """Put a hook on each node, for the one backward pass to come."""
    measured, handles = MeasuredNodes({}, {}, {}, {}, graph), []

    def passed(node: Node, shared: Sequence[int], handed: Any, arrived: Any) -> None:
        for number, grad in enumerate(arrived):
            if grad is not None:
                measured.arrived[node, number] = norm(grad)
        for place in shared:
            if handed[place] is not None:
                measured.handed[node, place] = norm(handed[place])
                if node in plan.norms:
                    key = graph[node][place], plan.norms[node]
                    part = handed[place].detach()
                    measured.inner[key] = (
                        measured.inner[key] + part if key in measured.inner else part
                    )
        if node.name() in node_kinds.KEEP_GRADIENT:
            measured.kept[node] = arrived[0].detach()

    for node, edges in graph.items():
        # What only one node reads gets all of its gradient from there.
        shared = [
            place
            for place, output in enumerate(edges)
            if output[0] in graph and len(plan.readers[output]) > 1
        ]
        handles.append(node.register_hook(partial(passed, node, shared)))
    return measured, handles


def _wait_for_device(measured: MeasuredNodes) -> MeasuredNodes:
    """Read, at once, what lies on a device."""
    for found in (measured.arrived, measured.handed):
        if any(isinstance(value, Tensor) for value in found.values()):
            found.update(zip(found, numbers(list(found.values())).tolist(), strict=True))
    return measured


def _weight_norms(weights: Iterable[Tensor]) -> node_kinds.Known:
    """Return the norm of each weight, by where it lies: a node keeps a view of it."""
    plain = [each for each in weights if each.layout == torch.strided and not each.is_meta]
    keys = [(each.data_ptr(), each.numel()) for each in plain]
    return dict(zip(keys, norms(plain), strict=True))


def _delta_comes(call: ProbeCall, deltas: Sequence[Tensor | None]) -> None:
    delta = deltas[call.output.number]
    if delta is not None:
        call.delta.append(norm(delta))


def _is_norm(call: ProbeCall) -> bool:
    return NORM_WORD in type(call.module.module).__name__.lower()
