"""Which modules of a model are layers, and what their rows in a trace are called.

A layer is every module that holds a weight of its own. Its name is its path in the model, without
what wrappers put before it; several weights in one module are a row each (`core.weight_ih_l0`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from undertow.errors import SpecError

WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
KINDS: tuple[tuple[type[nn.Module], str], ...] = (
    (nn.Linear, "linear"),
    (nn.Bilinear, "bilinear"),
    (nn.modules.conv._ConvNd, "conv"),
    (nn.modules.batchnorm._NormBase, "batch_norm"),
    (nn.LayerNorm, "layer_norm"),
    (nn.GroupNorm, "group_norm"),
    (nn.Embedding, "embedding"),
    (nn.EmbeddingBag, "embedding"),
    (nn.LSTM, "lstm"),
    (nn.GRU, "gru"),
    (nn.RNN, "rnn"),
    (nn.MultiheadAttention, "attention"),
    (nn.PReLU, "prelu"),
)
# What has its units along the second dim and not along the last.
CHANNELS_FIRST = ("conv", "batch_norm", "group_norm")


class Weight(NamedTuple):
    """One weight: a row of the trace."""

    name: str
    parameter: nn.Parameter
    fan_in: int
    fan_out: int


class Module(NamedTuple):
    """A module that holds weights."""

    path: str
    module: nn.Module
    kind: str
    weights: tuple[Weight, ...]

    @property
    def unit_dim(self) -> int:
        """Return the dim of its output along which its units lie."""
        return 1 if self.kind in CHANNELS_FIRST else -1


def modules(model: nn.Module) -> list[Module]:
    """Find the layers of a model, in the order in which they were registered.

    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.GRU(3, 4))
    >>> [weight.name for module in modules(model) for weight in module.weights]
    ['0', '2.weight_ih_l0', '2.weight_hh_l0']

    Raises
    ------
    SpecError
        What is not a module, or has no weight.
    """
    if not isinstance(model, nn.Module):
        raise SpecError(
            f"model of type {type(model).__name__}: give a torch.nn.Module, "
            "for example nn.ModuleList of several"
        )
    found = []
    for path, module in model.named_modules():
        # Not named_parameters(): of a hundred layers that took a millisecond.
        own = [(name, each) for name, each in module._parameters.items() if each is not None]
        lazy = [name for name, each in own if nn.parameter.is_lazy(each)]
        if lazy:
            which = f"'{path}'" if path else type(module).__name__
            raise SpecError(
                f"{which} has no {lazy[0]} yet: put one batch through the model before watching it"
            )
        weights = [(name, each) for name, each in own if _is_weight(module, name)]
        if weights:
            found.append(_module(plain(path), module, weights))
    if not found:
        raise SpecError(
            f"{type(model).__name__} has no parameter that is a weight: there is no gradient to "
            "watch. Give a model with at least one Linear, Conv or other layer"
        )
    return found


def ends(model: nn.Module) -> list[nn.Module]:
    """Return the modules that are called from outside: of a mere list of models each of them."""
    if isinstance(model, nn.ModuleList | nn.ModuleDict):
        return [end for child in model.children() for end in ends(child)]
    return [] if isinstance(model, torch.jit.ScriptModule) else [model]  # which takes no hooks


def plain(path: str) -> str:
    """Return a module's path without its wrappers.

    >>> plain("module._orig_mod.encoder.module.linear1")
    'encoder.linear1'
    """
    return ".".join(part for part in path.split(".") if part not in WRAPPERS)


def kind(module: nn.Module) -> str:
    """Name the kind of a layer; a class that is not known by its own name."""
    for class_, name in KINDS:
        if isinstance(module, class_):
            return name
    return type(module).__name__.lower()


def _is_weight(module: nn.Module, name: str) -> bool:
    if isinstance(module, nn.utils.parametrize.ParametrizationList):
        return name.startswith("original")
    return "weight" in name


def _module(path: str, module: nn.Module, weights: list[tuple[str, nn.Parameter]]) -> Module:
    rows = []
    for name, parameter in weights:
        row = path if len(weights) == 1 else f"{path}.{name}" if path else name
        rows.append(Weight(row or name, parameter, *_fans(module, parameter)))
    return Module(path, module, kind(module), tuple(rows))


def is_turned(module: nn.Module, weight: Tensor) -> bool:
    """Tell a weight [inputs, outputs], where nn.Linear has [outputs, inputs].

    So are the matrices of GPT-2, by the class Conv1D of transformers.
    """
    return type(module).__name__ == "Conv1D" and hasattr(module, "nf") and weight.dim() == 2


def _fans(module: nn.Module, weight: Tensor) -> tuple[int, int]:
    """Return how many numbers each output reads, and how many outputs read each number."""
    shape = tuple(weight.shape)
    if isinstance(module, nn.Embedding | nn.EmbeddingBag):
        return shape[0], shape[1]
    if len(shape) < 2:
        return 1, weight.numel()
    if is_turned(module, weight):
        return shape[0], shape[1]
    taps, groups = math.prod(shape[2:]), getattr(module, "groups", 1)
    one, other = shape[1] * taps, shape[0] * taps // groups
    return (other, one) if getattr(module, "transposed", False) else (one, other)
