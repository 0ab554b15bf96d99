"""Hooks that tell when a forward pass of the training begins, for the clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from undertow.watching.core.guard import Guard
from undertow.watching.torch.hooks import Hook
from undertow.watching.torch.layers import ends


def hook_starts(model: nn.Module, guard: Guard, begins: Callable[[], None]) -> list[Any]:
    """Call `begins` when a forward pass in training begins; return the hooks' handles."""

    def called(*_: Any) -> None:
        if model.training and torch.is_grad_enabled():
            begins()

    hook = Hook(guard, called)
    return [end.register_forward_pre_hook(hook) for end in ends(model)]
