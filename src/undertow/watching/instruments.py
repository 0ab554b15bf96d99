"""All that measures a model within a step, and the arrays that come of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import nn

from undertow.trace.record import Layer
from undertow.watching import layers as layers_module
from undertow.watching import row
from undertow.watching.calls import Call, Calls
from undertow.watching.gradients import Gradients
from undertow.watching.hooks import Guard
from undertow.watching.norms import numbers
from undertow.watching.origin import Origin, origin
from undertow.watching.shares import resharded, shares
from undertow.watching.updates import Updates

NOBODY = -1  # owns the weights that no optimizer has
CHEAP = ("grad_norm", "nonfinite")


class Instruments:
    """Measures one step: gradients and calls after each backward pass, weights around the update.

    The weights belong to optimizers, or to nobody. Once an optimizer has stepped, what later passes
    of the same step do to its weights' gradients no longer counts. `began` is told of each backward
    pass before anything of it is read, and answers whether its step is recorded.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizers: Sequence[Any],
        guard: Guard,
        *,
        whole: bool,
        scale: Callable[[], float],
        began: Callable[[], bool],
    ) -> None:
        resharded(model)
        self.modules = layers_module.modules(model)
        held = [weight.parameter for module in self.modules for weight in module.weights]
        self.parameters = list(dict.fromkeys(held))
        self._place = {id(parameter): place for place, parameter in enumerate(self.parameters)}
        self.owner = self._owners(optimizers)
        self.shares = shares(model, self.parameters)
        self.rows: list[row.Place] = []
        self._layers: tuple[Layer, ...] = ()
        self.accumulation, self.batch_size = 1, 0
        self._whole, self._scale, self._began = whole, scale, began
        self.gradients = Gradients(
            self.parameters, guard, self._ended, shared=self.shares is not None, whole=whole
        )
        self.calls = Calls(model, self.modules, guard, self.gradients.queue)
        self.updates = Updates(self.parameters)
        double = any(str(each.dtype) == "torch.float64" for each in self.parameters)
        self._dtype = np.float64 if double else np.float32
        self.begin_step()

    def begin_step(self) -> None:
        """Forget the step before."""
        count = len(self.parameters)
        self.kept: list[Call] = []
        self.passes = 0  # backward passes
        self._done: set[int] = set()
        self._weighed: list[int] = []
        self._weights = np.full(count, np.nan)
        self._updates = np.full((2, count), np.nan)
        self.gradients.begin_step()
        self.calls.begin_step()

    def attach(self, *, calls: bool, whole: bool) -> None:
        """Put hooks on for the step to come: on the calls too; and say how much is measured."""
        self._whole = self.gradients.whole = whole
        self.gradients.attach()
        self.calls.attach() if calls else self.calls.detach()

    def detach(self) -> None:
        """Take all hooks off."""
        self.gradients.detach()
        self.calls.detach()

    def before_update(self, owner: int) -> float | None:
        """Keep the weights of an optimizer; return by what it finds its gradients clipped."""
        places = self._owned(owner)
        if self._whole:
            self._weights[places] = self.updates.weight_norms(places)
            self._weighed += places
            self.updates.keep(places)
        self._done.add(owner)
        return self.gradients.clipped(places)

    def update(self) -> None:
        """Compare the weights with what was kept of them before their updates."""
        for place, change in self.updates.changes().items():
            self._updates[:, place] = change

    def changes(self) -> dict[str, np.ndarray]:
        """Return the arrays of what has changed since the last call of `before_update`."""
        found = np.full((2, len(self.parameters)), np.nan)
        for place, change in self.updates.changes().items():
            found[:, place] = change
        names = ("update_norm", "update_norm_se")
        return {
            name: self._by_weight(each).astype(self._dtype)
            for name, each in zip(names, found, strict=True)
        }

    def learn_layers(self) -> None:
        """Settle the trace's layers by the calls of this step, the first."""
        self.rows = row.places(self.modules, self.kept)
        self._parameter_of_row = np.array(
            [
                len(self.parameters)
                if place.weight is None
                else self._place[id(self.modules[place.layer].weights[place.weight].parameter)]
                for place in self.rows
            ]
        )
        self.accumulation = self.passes
        self.batch_size = self.calls.batch_size
        self._layers = row.layers(self.modules, self.rows, row.passes(self.kept).activations)

    def layers(self) -> tuple[Layer, ...]:
        """Describe the trace's layers."""
        return self._layers or row.layers(self.modules, row.places(self.modules, []), {})

    def shared_weights(self) -> list[str]:
        """Return, for each weight that several layers hold, their names in one string."""
        names: dict[int, list[str]] = {}
        for module in self.modules:
            for weight in module.weights:
                names.setdefault(id(weight.parameter), []).append(weight.name)
        return [" = ".join(each) for each in names.values() if len(each) > 1]

    def values(self, word: float, *, together: bool) -> dict[str, Any]:
        """Return the arrays of this step; over all processes, and the first's `word`, together."""
        gradients = self.gradients
        if not self._whole and self.shares is None:
            cheap = {"grad_norm": gradients.norm, "nonfinite": gradients.nonfinite}
            return {name: self._by_weight(each).astype(self._dtype) for name, each in cheap.items()}
        passes = row.passes(self.kept)
        by_parameter = np.stack(
            [
                gradients.norm**2,
                gradients.abs_sum,
                gradients.nonfinite,
                self._weights**2,
                self._updates[0] ** 2,
                self._updates[1] ** 2,
            ]
        )
        deltas = passes.delta_square
        if self.shares is not None and together:
            # So many numbers on every process, whatever was called here: the first two calls.
            keys = [(layer, number) for layer in range(len(self.modules)) for number in (1, 2)]
            sent = np.array([deltas.get(key, np.nan) for key in keys])
            by_parameter, added, word = self.shares.total(by_parameter, sent, word)
            deltas = dict(zip(keys, added, strict=True))
        sizes = np.array([max(each.numel(), 1) for each in self.parameters])
        measured = {
            "grad_norm": np.sqrt(by_parameter[0]),
            "grad_mean_abs": by_parameter[1] / sizes,
            "nonfinite": by_parameter[2],
            "weight_norm": np.sqrt(by_parameter[3]),
            "update_norm": np.sqrt(by_parameter[4]),
            "update_norm_se": np.sqrt(by_parameter[5]),
        }
        names = measured if self._whole else CHEAP
        arrays = {name: self._by_weight(measured[name]) for name in names}
        if self.kept and self._whole:
            arrays["delta_norm"] = np.sqrt(row.spread(self.rows, deltas))
            for name, by_call in passes.values.items():
                arrays[name] = row.spread(self.rows, by_call)
            if self.calls.input_norm is not None:
                (size,) = numbers([self.calls.input_norm])
                arrays["input_rms"] = size / np.sqrt(max(self.calls.input_size, 1))
        with np.errstate(over="ignore"):
            found = {name: np.asarray(each, self._dtype) for name, each in arrays.items()}
        return found | ({"word": word} if self.shares is not None and together else {})

    def origin(self, loss: float | None) -> Origin | None:
        """Return where the first NaN or Inf of this step arose; None where there is none."""
        nonfinite = np.nan_to_num(self.gradients.nonfinite)
        if not self.kept and not nonfinite.any() and loss is None:
            return None
        bad = {place for place in self._weighed if not math.isfinite(self._weights[place])}
        return origin(self.kept, self.modules, bad, nonfinite, self._place, loss)

    def unseen(self) -> dict[str, str]:
        """Return the layers of which something could not be seen in this step, and why."""
        found = {}
        seen = {call.layer for call in self.kept}
        for layer, module in enumerate(self.modules):
            arrived = [self._place[id(weight.parameter)] for weight in module.weights]
            frozen = not any(weight.parameter.requires_grad for weight in module.weights)
            name = module.path or type(module.module).__name__
            if np.isnan(self.gradients.norm[arrived]).all() and not frozen:
                found[name] = "no gradient came to it"
            elif layer not in seen and self._whole:
                found[name] = self.calls.why_unseen(layer)
        return found

    def total_norm(self) -> float:
        """Return the norm of all gradients that were read."""
        return float(np.sqrt(np.nansum(self.gradients.norm**2)))

    def _ended(self, reached: Sequence[int]) -> None:
        calls = self.calls.take()
        if not reached:  # torch.autograd.grad: no gradient of a weight
            return
        if not self._began():
            return
        # What only passes through the weights of another optimizer is no delta of theirs.
        owners = {NOBODY} | {self.owner[place] for place in reached} - self._done
        reached = [place for place in reached if self.owner[place] not in self._done]
        if not reached:
            return
        scale = self._scale()
        for call in calls:
            call.scale = scale
        if self.gradients.read(reached, scale):
            anew = {self.owner[place] for place in reached}
            self.kept = [call for call in self.kept if self._owner_of(call) not in anew]
        self.kept += [call for call in calls if self._owner_of(call) in owners]
        self.passes += 1

    def _owner_of(self, call: Call) -> int:
        held = self.modules[call.layer].weights[0].parameter
        return self.owner[self._place[id(held)]]

    def _owned(self, owner: int) -> list[int]:
        return [place for place, each in enumerate(self.owner) if each == owner]

    def _owners(self, optimizers: Sequence[Any]) -> list[int]:
        owner = [NOBODY] * len(self.parameters)
        for number, optimizer in enumerate(optimizers):
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    place = self._place.get(id(parameter))
                    if place is not None:
                        owner[place] = number
        return owner

    def _by_weight(self, values: np.ndarray) -> np.ndarray:
        """Put values by parameter at the rows of the trace; NaN for further calls."""
        return np.append(values, np.nan)[self._parameter_of_row]
