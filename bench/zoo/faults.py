"""The faults of the zoo: small functions that change a model, its inputs, loss or optimizer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bench.zoo import nets as zoo_nets

WEIGHTED = (nn.Linear, nn.Conv2d, nn.LSTM, nn.GRU)
PLACES = str | tuple[str, ...]


class Do:
    """A function with its settings, which shows as the call one would write."""

    def __init__(self, function: Callable[..., Any], **settings: Any) -> None:
        self.function, self.settings = function, settings
        self.source = repr(self) + inspect.getsource(function)

    def __call__(self, *given: Any) -> Any:
        return self.function(*given, **self.settings)

    def __repr__(self) -> str:
        words = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"{self.function.__name__}({words})"


@dataclass(frozen=True)
class Fault:
    """What is planted: other fields of the recipe, and a change of what the recipe makes."""

    recipe: Mapping[str, Any] = field(default_factory=dict)
    model: Do | None = None  # model -> None, or another model
    inputs: Do | None = None  # inputs, step -> inputs
    loss: Do | None = None  # outputs, labels, step -> loss
    trained: Do | None = None  # model -> parameters for the optimizer

    @property
    def source(self) -> str:
        """Return all that it does as text."""
        parts = (self.model, self.inputs, self.loss, self.trained)
        return repr(dict(self.recipe)) + "".join(part.source for part in parts if part)


def weighted(model: nn.Module, names: PLACES) -> list[nn.Module]:
    """Return layers by their names; `all`, `hidden` (all but the last) or some names."""
    found = {name: each for name, each in model.named_modules() if isinstance(each, WEIGHTED)}
    if isinstance(names, tuple):
        return [found[name] for name in names]
    if names in found:
        return [found[names]]
    layers = list(found.values())
    return {"all": layers, "hidden": layers[:-1], "inner": layers[1:-1]}[names]


def matrices(layers: list[nn.Module]) -> list[nn.Parameter]:
    """Return the weights, without biases, of layers."""
    named = [pair for layer in layers for pair in layer.named_parameters()]
    return [parameter for name, parameter in named if "weight" in name]


def biases(layer: nn.Module) -> list[nn.Parameter]:
    return [parameter for name, parameter in layer.named_parameters() if "bias" in name]


@torch.no_grad()
def scale(model: nn.Module, factor: float, layers: PLACES = "hidden") -> None:
    """Multiply weights."""
    for weight in matrices(weighted(model, layers)):
        weight.mul_(factor)


@torch.no_grad()
def normal(model: nn.Module, sd: float, layers: PLACES = "hidden") -> None:
    """Draw weights anew from one normal distribution, whatever the width."""
    for weight in matrices(weighted(model, layers)):
        weight.normal_(0, sd)


@torch.no_grad()
def constant(model: nn.Module, value: float, layers: PLACES = "hidden") -> None:
    """Give every weight one value, and biases 0."""
    for layer in weighted(model, layers):
        for weight in matrices([layer]):
            weight.fill_(value)
        for bias in biases(layer):
            bias.zero_()


@torch.no_grad()
def bias(model: nn.Module, value: float, layers: PLACES, share: float = 1.0) -> None:
    """Set the biases of the first units of layers, a share of them."""
    for layer in weighted(model, layers):
        for each in biases(layer):
            each[: round(share * len(each))] = value


@torch.no_grad()
def alternate_bias(model: nn.Module, value: float, layers: PLACES) -> None:
    """Set biases to plus and minus a value in turn."""
    for layer in weighted(model, layers):
        for each in biases(layer):
            each[0::2], each[1::2] = value, -value


@torch.no_grad()
def norm_shift(model: nn.Module, value: float, layers: tuple[str, ...], share: float = 1.0) -> None:
    """Set the shifts of the first units of normalisations, a share of them."""
    for name in layers:
        shift = model.get_submodule(name).bias
        shift[: round(share * len(shift))] = value


def freeze(model: nn.Module, layers: PLACES = "hidden") -> None:
    """Say that layers, and what normalises between them, need no gradient."""
    for layer in weighted(model, layers):
        layer.requires_grad_(False)


def detach(model: nn.Module, after: str) -> None:
    """Detach the output of a module."""
    model.get_submodule(after).register_forward_hook(lambda _, __, output: cut(output))


def cut(output: Any) -> Any:
    """Detach a tensor, or the first of a pair as LSTM gives it."""
    return (output[0].detach(), output[1]) if isinstance(output, tuple) else output.detach()


def without_gradients(model: nn.Module, part: str) -> None:
    """Compute a module under no_grad, as one would a frozen encoder."""
    module = model.get_submodule(part)
    module.forward = torch.no_grad()(module.forward)


class Redone(nn.Module):
    """Passes numbers through NumPy, as a home-made preprocessing would."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.as_tensor(self.module(inputs).detach().numpy())


def through_numpy(model: nn.Sequential, layers: int) -> nn.Sequential:
    """Pass what the first modules give through NumPy."""
    parts = list(model)
    return nn.Sequential(Redone(nn.Sequential(*parts[:layers])), *parts[layers:])


def only_last_trained(model: nn.Module) -> list[nn.Parameter]:
    """Return the output layer's parameters."""
    return list(weighted(model, "all")[-1].parameters())


def times(inputs: Tensor, step: int, factor: float = 1.0, offset: float = 0.0) -> Tensor:
    """Scale and shift every input."""
    return factor * inputs + offset


def nan_from(inputs: Tensor, step: int, first: int) -> Tensor:
    """Put one NaN into each batch from a step on."""
    if step < first:
        return inputs
    found = inputs.clone()
    found.view(-1)[0] = float("nan")
    return found


def log_of_softmax(outputs: Tensor, labels: Tensor, step: int, factor: float) -> Tensor:
    """Take the log of a softmax that becomes 0 where outputs are far apart."""
    chances = torch.softmax(factor * outputs, 1)
    return -torch.log(chances[torch.arange(len(labels)), labels]).mean()


def root_of_zero(outputs: Tensor, labels: Tensor, step: int, first: int) -> Tensor:
    """Add a norm by hand whose gradient at 0 is infinite times 0, from a step on."""
    loss = cross_entropy(outputs, labels)
    if step < first:
        return loss
    return loss + 0.01 * (0 * outputs).square().sum(1).sqrt().mean()


def divided_by_count(outputs: Tensor, labels: Tensor, step: int, rare: int) -> Tensor:
    """Weigh a rare class by one over its share of the batch, which may be 0."""
    each = cross_entropy(outputs, labels, reduction="none")
    is_rare = (labels == rare).float()
    return (each * (1 - is_rare)).mean() + (each * is_rare).sum() / is_rare.sum() / len(labels)


class Singular(nn.Module):
    """Home-made layers with a singular point."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, inputs: Tensor) -> Tensor:
        if self.kind == "distance":  # of each sample from the first, which is 0 from itself
            return inputs + 0.01 * (inputs - inputs[:1]).square().sum(1, keepdim=True).sqrt()
        if self.kind == "log":
            return torch.log(inputs)
        if self.kind == "share":  # of the largest of a batch whose smallest is taken off
            largest = inputs.amax(1, keepdim=True)
            return inputs / (largest - largest.amin())
        raise ValueError(f"{self.kind}: distance, log or share")


def insert(model: nn.Sequential, after: int, kind: str) -> nn.Sequential:
    """Put a home-made module with a singular point into a Sequential, whose names then change."""
    parts = list(model)
    return nn.Sequential(*parts[: after + 1], Singular(kind), *parts[after + 1 :])


def dead_at_birth(model: nn.Module, data: str) -> None:
    """Redraw weights until no sample moves the output, as happens to narrow deep ReLU nets."""
    inputs = zoo_nets.data(data).inputs.flatten(1)
    for _ in range(1000):
        with torch.no_grad():
            if model(inputs).std(0).max() == 0:
                return
            for weight in matrices(weighted(model, "hidden")):
                nn.init.kaiming_normal_(weight)
    raise ValueError("not dead in a thousand draws: make it deeper or narrower")
