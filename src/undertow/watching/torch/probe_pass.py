"""One pass of a model on one batch, that leaves nothing behind in it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

from undertow.errors import SpecError
from undertow.watching.torch import layers
from undertow.watching.torch.activation_nodes import Node
from undertow.watching.torch.layer_calls import tensors
from undertow.watching.torch.norms import Number
from undertow.watching.torch.path.autograd_graph import NodeOutput


class ProbeCall(NamedTuple):
    """A layer's call: where its output and its input were made in the graph."""

    name: str
    module: layers.Module
    made_at: Sequence[NodeOutput]  # of its outputs, until it is known which is used
    shape: tuple[int, ...]
    source: Node | None
    input: Tensor | None
    delta: list[Number]  # |dE/dz|, once the gradient has come by

    @property
    def output(self) -> NodeOutput:
        """Return where its output was made."""
        return self.made_at[0]


class ForwardPass(NamedTuple):
    """A pass forward."""

    calls: list[ProbeCall]
    loss: Tensor
    made: float  # the number of the last node that the model made: what follows is the loss


def check_batch(batch: Any) -> None:
    """Refuse what is not a pair."""
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise SpecError("batch: must be a pair (inputs, targets)")


def output_of(model: nn.Module, inputs: Any) -> Any:
    """Call a model: with a tuple as several arguments, with a dict by name."""
    if isinstance(inputs, dict):
        return model(**inputs)
    return model(*inputs) if isinstance(inputs, tuple) else model(inputs)


def check_loss(loss: Any) -> None:
    """Refuse what is not one number that weights take part in."""
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        what = f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        raise SpecError(f"loss_fn gave {what}: must be a tensor of one number, a mean")
    if loss.grad_fn is None:
        if loss.is_inference():
            raise SpecError(
                "torch.inference_mode() keeps no way back for a gradient: leave it first"
            )
        raise SpecError("loss_fn: no weight takes part in the loss; look for a detach() before it")


def run_forward(
    model: nn.Module,
    modules: Sequence[layers.Module],
    loss_fn: Callable[..., Tensor],
    batch: tuple[Any, Any],
) -> ForwardPass:
    """Call a model and its loss, and note each call of a layer."""
    calls: list[ProbeCall] = []
    in_place = cache(lambda: any(each.__dict__.get("inplace") for each in model.modules()))
    by_module = {each.module: each for each in _without_parametrizations(model, modules)}

    def called(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> Tensor | None:
        kept = None
        if isinstance(output, Tensor) and output._base is not None and in_place():
            # An operation in place on a view makes it anew in the graph, and hides itself there.
            output = kept = output.clone()
        outputs = [output] if isinstance(output, Tensor) else list(tensors(output))
        made_at = [place for each in outputs for place in _made_at(each)]
        if made_at:
            given = next(tensors(inputs), None)
            source, read = (None, None) if given is None else (given.grad_fn, given.detach())
            shape = tuple(outputs[0].shape)
            layer = by_module[module]
            calls.append(
                ProbeCall(
                    layer.path or type(module).__name__, layer, made_at, shape, source, read, []
                )
            )
        return kept

    handles = [
        module.register_forward_hook(called)
        for module in by_module
        if not isinstance(module, torch.jit.ScriptModule)  # which takes no hooks
    ]
    try:
        output = output_of(model, batch[0])
        loss = loss_fn(output, batch[1])
    finally:
        for handle in handles:
            handle.remove()
    check_loss(loss)
    ends = [each.grad_fn for each in tensors(output) if each.grad_fn is not None]
    return ForwardPass(calls, loss, max((end._sequence_nr() for end in ends), default=math.inf))


def calls_behind(
    calls: Sequence[ProbeCall], read: Collection[tuple[Node, int]], root: Node
) -> list[ProbeCall]:
    """Return the calls that the loss comes from, each with the output that it uses.

    Where a module gives out what a layer in it has made, that layer counts.
    """
    found: dict[NodeOutput, ProbeCall] = {}
    counts: dict[str, int] = {}
    for call in calls:
        made_at = [place for place in call.made_at if place in read or place.node is root]
        if not made_at or made_at[0] in found:
            continue
        name, count = call.name, counts.get(call.name, 0) + 1
        counts[name] = count
        name += f"#{count}" if count > 1 else ""
        found[made_at[0]] = ProbeCall(name, call.module, made_at, *call[3:])
    return list(found.values())


def _made_at(output: Tensor) -> list[NodeOutput]:
    made = output.grad_fn
    if made is None or not output.numel():
        return []
    base = output._base
    if base is None or base.grad_fn is None or base.numel() != output.numel():
        return [NodeOutput(made, output.output_nr)]
    # The base remains where the view is overwritten.
    return [NodeOutput(made, output.output_nr), NodeOutput(base.grad_fn, base.output_nr)]


def _without_parametrizations(
    model: nn.Module, modules: Sequence[layers.Module]
) -> list[layers.Module]:
    """Return the layers; where what is called makes a weight, the module that reads the weight."""
    if not any(isinstance(each.module, ParametrizationList) for each in modules):
        return list(modules)
    owners = {
        each: owner
        for owner in model.modules()
        for each in getattr(owner, "parametrizations", nn.ModuleDict()).values()
    }
    found: dict[nn.Module, layers.Module] = {}
    for each in modules:
        owner = owners.get(each.module, each.module)
        if owner is not each.module:
            path = each.path.rpartition("parametrizations.")[0].removesuffix(".")
            each = layers.Module(path, owner, layers.kind(owner), ())
        found.setdefault(owner, each)
    return list(found.values())


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Put back buffers and random numbers afterwards, also after an error."""
    modes = [(module, module.training) for module in model.modules()]
    kept = [
        (module, name, buffer, buffer.clone())
        for module, _ in modes
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    drawn = random.getstate(), np.random.get_state()  # noqa: NPY002
    devices = {each.device for each in model.parameters() if each.device.type == "cuda"}
    with torch.random.fork_rng(devices=[device.index for device in devices]):
        try:
            yield
        finally:
            random.setstate(drawn[0])
            np.random.set_state(drawn[1])  # noqa: NPY002
            with torch.no_grad():
                for module, name, buffer, clone in kept:
                    module._buffers[name] = buffer
                    if buffer.shape != clone.shape:  # it was empty until a first pass
                        buffer.resize_(clone.shape)
                    if not torch.equal(buffer, clone):  # else a graph of the user's may hold it
                        buffer.copy_(clone)
            for module, mode in modes:
                if module.training != mode:
                    module.training = mode
