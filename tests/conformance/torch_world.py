"""PyTorch, as the promises ask of it."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from tests.conformance.case import Case
from tests.conformance.inspection import attached, begun, bits, modes, random_states, state
from tests.conformance.oracle import layers, truth

__all__ = ["attached", "begun", "modes", "random_states", "state", "truth"]

PRECISIONS = (torch.float32, torch.float64)


def number(loss: torch.Tensor | float) -> float:
    return loss.item() if isinstance(loss, torch.Tensor) else loss


def trained(model: nn.Module) -> list[str]:
    return [layer.name for layer in layers(model) if layer.weight.requires_grad]


def weights(model: nn.Module) -> dict[str, object]:
    return bits(model.state_dict())


def evaluate(case: Case, model: nn.Module) -> None:
    """Leave the modes and the generator as they were."""
    for guard in (torch.no_grad(), torch.inference_mode()):
        modes = [(module, module.training) for module in model.modules()]
        model.eval()
        with guard, torch.random.fork_rng(devices=[]):
            case.loss(model, 0)
        for module, mode in modes:
            module.training = mode


def copies(model: nn.Module) -> Iterator[Any]:
    yield copy.deepcopy(model)
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    yield torch.load(file, weights_only=False)


def train_copy(case: Case, model: nn.Module) -> None:
    with torch.random.fork_rng(devices=[]):
        case.loss(model, 0).backward()
