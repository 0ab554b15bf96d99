"""One pass of a model on one batch, that leaves nothing behind in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from undertow.errors import SpecError


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
        raise SpecError("loss_fn: no weight takes part in the loss; look for a detach() before it")


@contextmanager
def left_as_it_is(model: nn.Module) -> Iterator[None]:
    """Put back buffers and random numbers afterwards, also after an error."""
    kept = [
        (module, name, buffer, buffer.clone())
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    devices = {each.device for each in model.parameters() if each.device.type == "cuda"}
    modes = [(module, module.training) for module in model.modules()]
    with torch.random.fork_rng(devices=[device.index for device in devices]):
        try:
            yield
        finally:
            with torch.no_grad():
                for module, name, buffer, clone in kept:
                    module._buffers[name] = buffer
                    if not torch.equal(buffer, clone):  # else a graph of the user's may hold it
                        buffer.copy_(clone)
            for module, mode in modes:
                if module.training != mode:
                    module.training = mode
