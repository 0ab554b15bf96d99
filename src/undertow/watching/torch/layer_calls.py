"""What passes through the layers: outputs on the way forward, deltas on the way back.

A forward hook on each layer measures its output and puts a hook on that tensor, which sees dE/dz
whatever is done to the tensor later, in place too. (Module backward hooks break on in-place
operations.) A call counts only when a backward pass has come through it and reached weights: a
forward pass without one, an evaluation or a call of `torch.autograd.grad` leaves nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from undertow.trace.dataflow import Edge
from undertow.watching.core.guard import Guard
from undertow.watching.torch.activation_nodes import CURVES, ActivationSlopes, Node, slopes
from undertow.watching.torch.dataflow import edges
from undertow.watching.torch.hooks import Hook, functorch
from undertow.watching.torch.layers import Module, ends
from undertow.watching.torch.norms import Number, norm
from undertow.watching.torch.units import output_spread

# Nodes that leave every number as it is and only number it otherwise.
VIEWS = {"ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0", "UnsqueezeBackward0"}
_UNCALLED = (nn.MultiheadAttention,)  # calls no child; its output is its `out_proj`'s
OUTPUTS = 3  # of a module, that are looked at: an LSTM has so many
FAR = 16  # nodes that are looked at, between a layer and the activation before it


Key = tuple[int, int]  # a layer, and which call of it since the last backward pass


class LayerCall:
    """One call of one layer; `order` counts all, `number` those that one pass came back to."""

    __slots__ = (
        "delta",
        "input_norm",
        "layer",
        "number",
        "order",
        "output_norm",
        "packed",
        "scale",
        "size",
        "slopes",
    )

    def __init__(self, layer: int, order: int, output: Tensor) -> None:
        self.layer, self.number, self.order = layer, 1, order
        self.output_norm: Number = norm(output)
        self.size = output.numel()
        self.input_norm: Number | None = None
        self.slopes: ActivationSlopes | None = None
        self.delta: Number | None = None
        self.scale = 1.0  # of the loss, by mixed precision, when the delta came
        self.packed = _are_packed_away()

    @property
    def key(self) -> Key:
        """Return the layer, and which call of it this is."""
        return self.layer, self.number

    def come_back(self, delta: Number) -> LayerCall:
        """Return the call with its delta; after a second backward pass through it a second call."""
        found = self if self.delta is None else copy(self)
        found.delta = delta
        return found


class LayerCalls:
    """Watches the layers' calls while attached.

    `began` is called at the first sign of each backward pass; `take` then hands over the calls
    that it came through.
    """

    def __init__(
        self,
        model: nn.Module,
        modules: Sequence[Module],
        guard: Guard,
        began: Callable[[], None],
        *,
        always: bool = False,
    ) -> None:
        self._always = always  # in eval mode and under a probe too
        self._model, self._modules, self._guard, self._began = model, modules, guard, began
        self._handles: list[Any] = []
        self._producers: dict[int, LayerCall] = {}  # by the number of the node that made the output
        self._looked_at: set[int] = set()
        self._passed: dict[LayerCall, tuple[int, Number]] = {}
        self._order = 0
        self.called: set[int] = set()  # layers that ran at all, whatever came back to them
        self.unseen: dict[int, str] = {}
        self.traces = always  # whether edges are looked for
        self.edges: list[Edge[Key]] = []  # of the pass that was taken last
        self._nodes: dict[Node, LayerCall] = {}
        self._links: list[Edge[LayerCall]] = []
        self.input_norm: Number | None = None
        self.input_size = self.batch_size = 0
        self.spreads = always  # whether outputs are looked at
        self.output_spread: Number | None = None

    def attach(self) -> None:
        """Put the hooks on."""
        if self._handles:
            return
        for place, module in enumerate(self._modules):
            if isinstance(module.module, torch.jit.ScriptModule):
                self.unseen[place] = "it is a ScriptModule, which takes no hooks"
                continue
            hook = Hook(self._guard, partial(self._called, place))
            self._handles.append(module.module.register_forward_hook(hook))
        # What follows the last layer; a layer's own hook looks at what comes before it.
        looking = Hook(self._guard, self._look_back)
        for module in ends(self._model):
            self._handles.append(module.register_forward_hook(looking))

    def detach(self) -> None:
        """Take the hooks off; a call whose backward pass is still to come is forgotten."""
        if not self._handles:
            return
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._forget_step()

    def take(self) -> list[LayerCall]:
        """Return the calls that the backward pass which ends now came through."""
        if not self._handles:
            return []
        passed, self._passed = self._passed, {}
        self._forget()
        numbers: dict[int, int] = {}
        for call in sorted(passed, key=lambda each: each.order):
            call.number = numbers[call.layer] = numbers.get(call.layer, 0) + 1
        self.edges = [
            Edge(source.key, target.key, *rest)
            for source, target, *rest in self._links
            if source in passed and target in passed
        ]
        self._links.clear()
        return [call.come_back(delta) for call, (_, delta) in passed.items()]

    def _forget(self) -> None:
        self._producers.clear()
        self._nodes.clear()
        self._looked_at.clear()

    def _trains(self) -> bool:
        return torch.is_grad_enabled() and (self._always or self._model.training)

    def _called(self, place: int, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        self.called.add(place)
        if not self._trains():
            return
        if module is not self._modules[place].module:  # a replica, as DataParallel makes them
            self.unseen[place] = "it runs as a replica"
            return
        given = next(tensors(inputs), None)
        if given is not None:
            self._find_activations(given)
        outputs = [each for each in tensors(output) if each.grad_fn is not None]
        if not outputs:
            self.unseen.setdefault(place, "its output needs no gradient")
            return
        found = outputs[0]
        if not found.numel():
            return
        if self._passed and torch._C._current_graph_task_id() < 0:
            self._passed.clear()  # of a backward pass that ended in an error
        if self._order == 0 and given is not None and given.is_floating_point():
            self.input_norm, self.input_size = norm(given), given.numel()
            self.batch_size = len(given) if given.dim() else 1
        call = LayerCall(place, self._order, found)
        self._order += 1
        if given is not None and given.is_floating_point() and _may_be_bad(call.output_norm):
            call.input_norm = norm(given)
        self._note_maker(found.grad_fn, call)
        for rank, each in enumerate(outputs[:OUTPUTS]):
            came_back = partial(self._guard.run, self._came_back, call, rank)
            base = _base(each)
            if base is None:
                each.register_hook(came_back)
            else:  # an operation in place on a view makes it anew in the graph; its base remains
                node, number = base
                node.register_prehook(partial(_of_output, came_back, number))
                self._note_maker(node, call)

    def _note_maker(self, node: Node, call: LayerCall) -> None:
        self._producers[_number(node)] = call
        if self.traces:
            self._nodes[node] = call

    def _came_back(self, call: LayerCall, rank: int, delta: Tensor | None) -> None:
        if delta is None or functorch.is_batchedtensor(delta) or _is_many(delta):
            return
        self._began()
        if self._nodes:  # now, before autograd frees what it has kept
            packed = any(each.packed for each in self._nodes.values())
            self._links = edges(self._nodes, packed=packed)
            self._nodes.clear()
        known = self._passed.get(call)
        if known is None or rank < known[0]:  # of several outputs the first that is used
            self._passed[call] = rank, norm(delta)

    def _look_back(self, module: nn.Module, inputs: Any, output: Any) -> None:
        if not self._trains():
            return
        for place, found in enumerate(tensors(output)):
            self._find_activations(found)
            if self.spreads and place == 0:
                self.output_spread = output_spread(found)

    def _find_activations(self, tensor: Tensor) -> None:
        """Measure the activations between this tensor and the layers before it."""
        nodes, left = [tensor.grad_fn], FAR
        while nodes and left:
            node = nodes.pop()
            if node is None or (number := _number(node)) in self._looked_at:
                continue
            if number in self._producers:
                continue
            self._looked_at.add(number)
            left -= 1
            curve = CURVES.get(node.name())
            if curve is None:
                nodes.extend(before for before, _ in node.next_functions)
                continue
            call = self._producer(node)
            if call and not call.slopes and not call.packed and not _are_packed_away():
                unit_dim = self._modules[call.layer].unit_dim
                call.slopes = slopes(curve, node, unit_dim)

    def _producer(self, node: Node) -> LayerCall | None:
        """Return the call whose output an activation's node reads, if it is a layer's."""
        node = node.next_functions[0][0]
        while node is not None and _number(node) not in self._producers:
            if node.name() not in VIEWS:
                return None
            node = node.next_functions[0][0]
        return None if node is None else self._producers[_number(node)]

    def why_unseen(self, layer: int) -> str:
        """Say why no call of a layer was seen, though hooks were on."""
        if is_compiled(self._model):
            return "the model is compiled, and hooks do not run in compiled code"
        if not self._model.training:
            return "the model is in eval mode"
        parents = [module for module in self._model.modules() if isinstance(module, _UNCALLED)]
        if any(parent.out_proj is self._modules[layer].module for parent in parents):
            return "its parent uses its weight without calling it"
        if layer in self.called:
            return self.unseen.get(layer, "no gradient came back through it")
        return self.unseen.get(
            layer, "no call was seen: compiled, or its weight is used without one"
        )

    def begin_step(self) -> None:
        """Forget the step before; without hooks there is nothing to forget."""
        if self._handles:
            self._forget_step()

    def _forget_step(self) -> None:
        self._passed.clear()
        self._forget()
        self._order = 0
        self.input_norm, self.input_size, self.output_spread = None, 0, None


def _base(output: Tensor) -> tuple[Any, int] | None:
    """Return what made the tensor that an output is a view of, as a whole."""
    base = output._base
    if base is None or base.grad_fn is None or base.numel() != output.numel():
        return None
    return base.grad_fn, base.output_nr


def _of_output(function: Callable[[Tensor | None], None], number: int, deltas: Any) -> None:
    """Call a function with the delta of one of a node's outputs."""
    function(deltas[number])


def is_compiled(model: nn.Module) -> bool:
    """Tell whether `torch.compile` or `module.compile()` stands before a model or in it."""
    # Not hasattr: where there is none a module looks for long.
    return any(
        "_orig_mod" in module._modules or module.__dict__.get("_compiled_call_impl") is not None
        for module in model.modules()
    )


def tensors(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in a module's inputs or output, however they are nested."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from tensors(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from tensors(each)
    elif is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            yield from tensors(getattr(value, each.name, None))


def _number(node: Node) -> int:
    return node._sequence_nr()


def _may_be_bad(value: Number) -> bool:
    """Tell whether a norm is not finite, or, where that is not known yet, may be so."""
    return isinstance(value, Tensor) or not math.isfinite(value)


def _is_many(delta: Tensor) -> bool:
    """Tell a delta of many passes at once, as `is_grads_batched` makes them."""
    return functorch.is_legacy_batchedtensor(delta)


def _are_packed_away() -> bool:
    """Tell whether tensors that are kept for the backward pass are packed away just now.

    To look at one would unpack it, which under checkpointing computes its layer again.
    """
    autograd: Any = torch._C._autograd  # pyright: ignore
    return autograd._top_saved_tensors_default_hooks(True) is not None
