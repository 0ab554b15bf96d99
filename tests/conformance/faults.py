"""Watches with one fault each, most of them seen in the wild.

Each is `undertow.watch` and something more. A fault in a reading is a real reader that reads the
wrong thing; its numbers take the place of the right ones in the trace.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import torch
import xarray
from torch import Tensor, nn, optim

import undertow as ut
from tests.conformance.oracle import layers


class Faulty:
    """`undertow.watch`, with hooks and readings of one's own beside it. This one has no fault."""

    def __init__(self, model: nn.Module, optimizer: Any, **options: Any) -> None:
        self.watch = self.watching(model, optimizer, **options)
        self.model, self.options = model, options
        self.handles: list[Any] = []
        self.readings: defaultdict[str, list[dict[str, float]]] = defaultdict(list)  # by variable
        optimizers = optimizer if isinstance(optimizer, list) else [optimizer]
        self.begin(model, optimizers)

    def watching(self, model: nn.Module, optimizer: Any, **options: Any) -> Any:
        return ut.watch(model, optimizer, **options)

    def begin(self, model: nn.Module, optimizers: list[optim.Optimizer]) -> None:
        """Do what is wrong at the start, and put hooks on for the rest."""

    def edit(self, data: xarray.Dataset) -> None:
        """Put wrong readings in."""
        for variable, rows in self.readings.items():
            for number, row in enumerate(rows[: data.sizes["step"]]):
                for layer, value in row.items():
                    data[variable].loc[{"step": data.step[number], "layer": layer}] = value

    def log(self, **logged: Any) -> None:
        self.watch.log(**logged)

    def trace(self) -> Any:
        trace = self.watch.trace()
        data = trace.to_xarray().copy(deep=True)
        self.edit(data)
        return replace(trace, dataset=data)

    def close(self) -> None:
        for handle in self.handles:
            handle.remove()
        self.handles.clear()
        self.watch.close()

    def __enter__(self) -> Faulty:
        self.watch.__enter__()
        return self

    def __exit__(self, *error: Any) -> Any:
        self.close()
        return self.watch.__exit__(*error)


class ReadsBeforeTheUpdate(Faulty):
    """Fills `variable` with what `read` makes of each weight just before the optimizer's step."""

    variable = "grad_norm"

    def begin(self, model: nn.Module, optimizers: list[optim.Optimizer]) -> None:
        found = list(layers(model))

        def before_update(optimizer: optim.Optimizer, *_: Any) -> None:
            row = {layer.name: self.read(layer.name, layer.weight, optimizer) for layer in found}
            self.readings[self.variable].append(row)

        self.handles.append(optimizers[0].register_step_pre_hook(before_update))

    read: Callable[[str, nn.Parameter, optim.Optimizer], float]  # what each fault is about


class DrawsRandomNumbers(Faulty):
    """Chooses its samples with everybody's generator."""

    def begin(self, model: nn.Module, optimizers: list[optim.Optimizer]) -> None:
        torch.rand(1)


class NudgesAGradient(Faulty):
    """Returns something from a hook that was only to look."""

    def begin(self, model: nn.Module, optimizers: list[optim.Optimizer]) -> None:
        weight = next(model.parameters())
        self.handles.append(weight.register_hook(lambda gradient: gradient + 1e-7))


class TogglesEvaluation(Faulty):
    """Makes a pass in eval mode at the start, and does not go back."""

    def begin(self, model: nn.Module, optimizers: list[optim.Optimizer]) -> None:
        model.eval()


class CountsMicroBatches(Faulty):
    """Takes every backward pass for a step."""

    def watching(self, model: nn.Module, optimizer: Any, **options: Any) -> Any:
        return ut.watch(model, **options)

    def begin(self, model: nn.Module, optimizers: list[optim.Optimizer]) -> None:
        backward = Tensor.backward

        def counted(loss: Tensor, *inputs: Any, **options: Any) -> None:
            backward(loss, *inputs, **options)
            self.watch.step(loss)

        patch = mock.patch.object(Tensor, "backward", counted)
        patch.start()
        self.handles.append(SimpleNamespace(remove=patch.stop))


class ReadsClippedGradients(ReadsBeforeTheUpdate):
    """Reads when the optimizer steps: after the clipping."""

    def read(self, name: str, weight: nn.Parameter, optimizer: optim.Optimizer) -> float:
        return np.nan if weight.grad is None else weight.grad.double().norm().item()


class SumsInFloat32(ReadsBeforeTheUpdate):
    """Squares what has no square in float32."""

    def read(self, name: str, weight: nn.Parameter, optimizer: optim.Optimizer) -> float:
        return np.nan if weight.grad is None else weight.grad.square().sum().sqrt().item()


class ReadsTheLastMicroBatch(ReadsBeforeTheUpdate):
    """Reads what one backward pass brings, not what has accumulated."""

    def begin(self, model: nn.Module, optimizers: list[optim.Optimizer]) -> None:
        super().begin(model, optimizers)
        self.last: dict[str, float] = {}
        for layer in layers(model):
            self.handles.append(layer.weight.register_hook(self.keeping(layer.name)))

    def keeping(self, name: str) -> Callable[[Tensor], None]:
        def keep(gradient: Tensor) -> None:
            self.last[name] = gradient.double().norm().item()

        return keep

    def read(self, name: str, weight: nn.Parameter, optimizer: optim.Optimizer) -> float:
        return self.last[name]


class TakesZeroForNothing(Faulty):
    """Fills with 0 what has no gradient."""

    def edit(self, data: xarray.Dataset) -> None:
        data["grad_norm"] = data.grad_norm.fillna(0)


class ReadsDeltasOfInputs(ReadsBeforeTheUpdate):
    """Reads the gradient that leaves a layer for the one that arrives."""

    variable = "delta_norm"

    def begin(self, model: nn.Module, optimizers: list[optim.Optimizer]) -> None:
        super().begin(model, optimizers)
        self.last: defaultdict[str, float] = defaultdict(lambda: np.nan)
        for layer in layers(model):
            self.handles.append(layer.module.register_forward_hook(self.keeping(layer.name)))

    def keeping(self, name: str) -> Callable[..., None]:
        def keep(gradient: Tensor) -> None:
            self.last[name] = gradient.double().norm().item()

        def called(_: nn.Module, inputs: tuple[Tensor, ...], __: Any) -> None:
            if inputs[0].requires_grad:
                inputs[0].register_hook(keep)

        return called

    def read(self, name: str, weight: nn.Parameter, optimizer: optim.Optimizer) -> float:
        return self.last[name]


class GuessesTheUpdate(ReadsBeforeTheUpdate):
    """Takes an update for the gradient times the learning rate."""

    variable = "update_norm"

    def read(self, name: str, weight: nn.Parameter, optimizer: optim.Optimizer) -> float:
        assert weight.grad is not None
        return optimizer.param_groups[0]["lr"] * weight.grad.double().norm().item()


class IsTooModest(Faulty):
    """States an error so wide that nothing could contradict it."""

    def edit(self, data: xarray.Dataset) -> None:
        data["update_norm_se"] = 5 * data.update_norm_se


class RepeatsOldReadings(Faulty):
    """Where it samples, gives what it read last for what it did not read."""

    def edit(self, data: xarray.Dataset) -> None:
        if self.options["every"] == "auto":
            data["grad_norm"] = data.grad_norm.isel(step=0).broadcast_like(data.grad_norm)


SEEN: list[float] = []


def seen(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    SEEN.append(inputs[0].double().square().mean().sqrt().item())


class ReadsEveryForwardPass(Faulty):
    """Reads whatever comes through the model or through a copy of it."""

    def begin(self, model: nn.Module, optimizers: list[optim.Optimizer]) -> None:
        self.inputs: list[float] = []
        self.handles.append(model.register_forward_pre_hook(seen))
        self.handles.append(
            optimizers[0].register_step_pre_hook(lambda *_: self.inputs.append(SEEN[-1]))
        )

    def edit(self, data: xarray.Dataset) -> None:
        data["input_rms"][0, :] = self.inputs[: data.sizes["step"]]


class HoldsAClosure(Faulty):
    """Hangs on the model what cannot be saved with it."""

    def begin(self, model: nn.Module, optimizers: list[optim.Optimizer]) -> None:
        self.handles.append(model.register_forward_hook(lambda *_: None))


class LeavesAHook(Faulty):
    """Forgets one handle."""

    def begin(self, model: nn.Module, optimizers: list[optim.Optimizer]) -> None:
        model.register_forward_pre_hook(seen)


class SwallowsExceptions(Faulty):
    """Will not let a training fail."""

    def __exit__(self, *error: Any) -> bool:
        super().__exit__(*error)
        return True
