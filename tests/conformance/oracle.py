"""What a watcher should have read, found the slow way: plain autograd and sums in float64.

The oracle trains a case that nobody watches. It wraps the `forward` of each layer, on the instance,
to keep the output tensor and hand on a clone, which may then be overwritten; it reads `.grad` and
the outputs' gradients after each `backward()`, so before any clipping; and it holds whole copies of
all weights. It needs no hook, and shares no line with a watcher.

The numbers of a layer are those of the passes between the clearing of its gradients and its
optimizer's step: of two optimizers, what one's pass leaves in the other's layers is nobody's. What
did not arrive is NaN, and never 0: the gradient of a frozen weight, the delta of a layer that was
not called.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch
import xarray
from torch import Tensor, nn, optim

from tests.conformance.case import Case, Log, Optimizers
from tests.conformance.inspection import begun

SAMPLED = 4096  # entries of a weight above which an update may be estimated from so many


class Layer(NamedTuple):
    """A weight, under its name in a trace, and the module whose output is the layer's."""

    name: str
    module: nn.Module
    weight: nn.Parameter


Row = dict[str, dict[str, float]]  # of one step: variable, layer, number


@cache
def truth(case: Case, dtype: torch.dtype) -> xarray.Dataset:
    """Return `grad_norm`, `delta_norm`, `weight_norm` and `update_norm` of the first steps.

    `update_norm_se` is the standard error of an update norm that is estimated from 4,096 entries
    drawn with replacement, and 0 for a weight with no more than that; `loss` is by step.
    """
    with begun(case, dtype) as (model, optimizers):
        ledger = Ledger(model, optimizers)
        losses: list[float] = []
        with mock.patch.object(Tensor, "backward", ledger.noting(Tensor.backward)):
            rows = [
                ledger.row(partial(case.step, model, optimizers, number, noted_in(losses)))
                for number in range(1, case.dense + 1)
            ]
    return labelled(rows).assign(loss=("step", losses))


def noted_in(losses: list[float]) -> Log:
    return lambda *, loss: losses.append(float(torch.as_tensor(loss).detach()))


def layers(model: nn.Module) -> Iterator[Layer]:
    """Find every weight; several in one module go by their own names."""
    for path, module in model.named_modules():
        own = module.named_parameters(recurse=False)
        weights = [(name, weight) for name, weight in own if "weight" in name]
        for name, weight in weights:
            yield Layer(path if len(weights) == 1 else f"{path}.{name}", module, weight)


class Ledger:
    """What happens to the layers of a model in one step."""

    def __init__(self, model: nn.Module, optimizers: Optimizers) -> None:
        self.layers = list(layers(model))
        self.of_module: defaultdict[nn.Module, list[Layer]] = defaultdict(list)
        for layer in self.layers:
            self.of_module[layer.module].append(layer)
        self.calls: Counter[nn.Module] = Counter()  # since the last backward pass
        self.waiting: list[tuple[nn.Module, int, Tensor]] = []  # outputs without a gradient yet
        self.used: set[nn.Parameter] = set()  # weights whose optimizer has stepped
        self.gradients: dict[str, float] = {}
        self.deltas: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
        for module in self.of_module:
            module.forward = self.keeping_outputs(module, module.forward)
        for optimizer in optimizers:
            optimizer.zero_grad = self.clearing(optimizer, optimizer.zero_grad)
            optimizer.step = self.using(optimizer, optimizer.step)

    def row(self, step: Callable[[], None]) -> Row:
        """Take one step, and return what it did."""
        for kept in (self.waiting, self.used, self.gradients, self.deltas):
            kept.clear()
        before = self.weights()
        step()
        changes = {name: weight - before[name] for name, weight in self.weights().items()}
        return {
            "grad_norm": dict(self.gradients),
            "delta_norm": {
                name if call == 1 else f"{name}#{call}": float(np.linalg.norm(norms))
                for (name, call), norms in self.deltas.items()
            },
            "weight_norm": {name: norm(weight) for name, weight in before.items()},
            "update_norm": {name: norm(change) for name, change in changes.items()},
            "update_norm_se": {name: standard_error(change) for name, change in changes.items()},
        }

    def weights(self) -> dict[str, Tensor]:
        return {layer.name: layer.weight.detach().double().clone() for layer in self.layers}

    def keeping_outputs(self, module: nn.Module, forward: Any) -> Any:
        def keep(output: Tensor) -> Tensor:
            if not output.requires_grad:
                return output
            output.retain_grad()
            self.waiting.append((module, self.calls[module], output))
            return output.clone()

        def then(*inputs: Any, **options: Any) -> Any:
            self.calls[module] += torch.is_grad_enabled()
            return mapped(keep, forward(*inputs, **options))

        return then

    def noting(self, backward: Any) -> Any:
        """Note at the end of a backward pass what has arrived where it is still to be used."""

        def then(*inputs: Any, **options: Any) -> None:
            backward(*inputs, **options)
            for layer in self.layers:
                if layer.weight not in self.used:
                    self.gradients[layer.name] = norm(layer.weight.grad)
            for module, call, output in self.waiting:
                for layer in self.of_module[module]:
                    if output.grad is not None and layer.weight not in self.used:
                        self.deltas[layer.name, call].append(norm(output.grad))
            self.waiting = [kept for kept in self.waiting if kept[-1].grad is None]
            self.calls.clear()

        return then

    def clearing(self, optimizer: optim.Optimizer, zero_grad: Any) -> Any:
        def then(*inputs: Any, **options: Any) -> None:
            cleared = held(optimizer) - self.used
            names = {layer.name for layer in self.layers if layer.weight in cleared}
            for name, call in list(self.deltas):
                if name in names:
                    del self.deltas[name, call]
            zero_grad(*inputs, **options)

        return then

    def using(self, optimizer: optim.Optimizer, step: Any) -> Any:
        def then(*inputs: Any, **options: Any) -> Any:
            self.used |= held(optimizer)
            return step(*inputs, **options)

        return then


def held(optimizer: optim.Optimizer) -> set[nn.Parameter]:
    return {each for group in optimizer.param_groups for each in group["params"]}


def mapped(function: Callable[[Tensor], Tensor], value: Any) -> Any:
    """Apply a function to the tensors in a tensor, a dict or a tuple of them."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, dict):
        return {key: mapped(function, part) for key, part in value.items()}
    if isinstance(value, tuple):
        return tuple(mapped(function, part) for part in value)
    return value


def norm(tensor: Tensor | None) -> float:
    return np.nan if tensor is None else tensor.detach().to_dense().double().norm().item()


def standard_error(change: Tensor) -> float:
    """Return that of sqrt(n mean(d^2)) over a sample, by the derivative of the root."""
    if change.numel() <= SAMPLED or not change.any():
        return 0.0
    squares = change.square()
    of_mean = squares.std(correction=0) / SAMPLED**0.5
    return (change.numel() ** 0.5 * of_mean / (2 * squares.mean().sqrt())).item()


def labelled(rows: list[Row]) -> xarray.Dataset:
    names = list(dict.fromkeys(name for row in rows for part in row.values() for name in part))
    return xarray.Dataset(
        {
            variable: (
                ("step", "layer"),
                [[row[variable].get(name, np.nan) for name in names] for row in rows],
            )
            for variable in rows[0]
        },
        coords={"step": np.arange(1, len(rows) + 1), "layer": names},
    )
