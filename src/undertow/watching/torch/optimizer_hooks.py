"""Hooks around the steps of optimizers: after every step, and before those that are recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import optim

from undertow.watching.core.guard import Guard
from undertow.watching.torch.hooks import Hook

OfOptimizer = Callable[..., None]  # called with an optimizer's number first


class OptimizerHooks:
    """Calls functions around the steps of some optimizers, with the optimizer's number.

    >>> import torch
    >>> parameter = torch.nn.Parameter(torch.ones(1))
    >>> hooks = OptimizerHooks([optim.SGD([parameter])], Guard(), lambda number, *_: print(number))
    >>> hooks.attach()
    >>> hooks.remove()
    """

    def __init__(
        self, optimizers: Sequence[optim.Optimizer], guard: Guard, before: OfOptimizer
    ) -> None:
        self._optimizers, self._guard, self._before = optimizers, guard, before
        self._handles: list[Any] = []  # before steps, while they are recorded
        self._after: list[Any] = []

    def call_after(self, after: OfOptimizer) -> None:
        """Call a function after every step: it guards itself, for it is called most."""
        self._after += [
            optimizer.register_step_post_hook(partial(after, number))
            for number, optimizer in enumerate(self._optimizers)
        ]

    def attach(self) -> None:
        """Call `before` before steps."""
        if not self._handles:
            self._handles = [
                optimizer.register_step_pre_hook(Hook(self._guard, partial(self._before, number)))
                for number, optimizer in enumerate(self._optimizers)
            ]

    def detach(self) -> None:
        """Call `before` no more."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def remove(self) -> None:
        """Call nothing any more."""
        self.detach()
        for handle in self._after:
            handle.remove()
        self._after.clear()
