"""Small models and the loops of users around them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

import undertow as ut


def net(*widths: int, activation: type[nn.Module] = nn.Tanh, seed: int = 0) -> Any:
    """Return a chain of Linear layers with an activation between each two."""
    torch.manual_seed(seed)
    parts: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        parts += [nn.Linear(fan_in, fan_out), activation()]
    return nn.Sequential(*parts[:-1])


def batches(count: int, size: int = 8, features: int = 4) -> Iterator[Tensor]:
    """Return the same random batches each time."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(count):
        yield torch.randn(size, features, generator=generator)


def mean_square(output: Tensor) -> Tensor:
    return output.square().mean()


def train(model: nn.Module, optimizer: Any, data: Iterator[Tensor], **options: Any) -> ut.Trace:
    """Watch the plainest loop there is."""
    with ut.watch(model, optimizer, **{"every": 1, **options}) as w:
        for inputs in data:
            optimizer.zero_grad()
            loss = mean_square(model(inputs))
            loss.backward()
            optimizer.step()
            w.log(loss=loss)
    return w.trace()


def true_norms(model: nn.Module) -> list[float]:
    """Return the norms of the weights' gradients as they are now, summed in float64."""
    return [
        float(each.grad.double().norm())
        for name, each in model.named_parameters()
        if name.endswith("weight") and each.grad is not None
    ]
