"""Which optimizers are watched: each by one watch at a time, and only with weights of its model."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakSet

from torch import nn, optim

from undertow.errors import SpecError

_watched: WeakSet[optim.Optimizer] = WeakSet()


def check(model: nn.Module, optimizers: Sequence[optim.Optimizer]) -> None:
    """Refuse an optimizer that is watched already, or holds nothing of the model."""
    held = {id(parameter) for parameter in model.parameters()}
    for number, optimizer in enumerate(optimizers):
        which = type(optimizer).__name__ + (f" number {number + 1}" if len(optimizers) > 1 else "")
        if optimizer in _watched:
            raise SpecError(
                f"{which} is watched already: close the other watch first (leave its `with`)"
            )
        groups = optimizer.param_groups
        if not any(id(each) in held for group in groups for each in group["params"]):
            raise SpecError(
                f"{which} holds no parameter of this {type(model).__name__}: give the one that "
                "trains it, made after the model was wrapped or moved"
            )


def claim(optimizers: Sequence[optim.Optimizer]) -> None:
    """Take optimizers for a watch."""
    for optimizer in optimizers:
        _watched.add(optimizer)


def release(optimizers: Sequence[optim.Optimizer]) -> None:
    """Let other watches have them."""
    for optimizer in optimizers:
        _watched.discard(optimizer)
