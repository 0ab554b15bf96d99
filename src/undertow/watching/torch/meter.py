"""All that measures a model within a step, and the arrays that come of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from undertow.trace.record import Layer
from undertow.watching.core.log import LOG
from undertow.watching.core.origin import Origin
from undertow.watching.torch import layers as layers_module
from undertow.watching.torch import rows, units
from undertow.watching.torch.distributed import reshard, several_processes, shares
from undertow.watching.torch.hooks import Guard
from undertow.watching.torch.layer_calls import LayerCall, LayerCalls
from undertow.watching.torch.nonfinite_origin import origin
from undertow.watching.torch.norms import numbers
from undertow.watching.torch.updates import Updates
from undertow.watching.torch.weight_gradients import WeightGradients

NOBODY = -1  # owns the weights that no optimizer has
MOST = 1000  # backward passes of a step
TOO_MANY = (
    "undertow: %s backward passes and no step of the optimizer: this step is not measured further; "
    "was it replaced by another?"
)
SUMS = ("grad_norm", "grad_mean_abs", "nonfinite", "weight_norm", "update_norm", "update_norm_se")
SQUARES = [0, 3, 4, 5]  # those that are roots of sums of squares


class TorchMeter:
    """Measures one step: gradients and calls after each backward pass, weights around the update.

    The weights belong to optimizers, or to nobody. Once an optimizer has stepped, what later passes
    of the same step do to its weights' gradients no longer counts. `began` is told of each backward
    pass before anything of it is read, and whether it is `again` one for an optimizer that has
    stepped; it answers whether the pass's step is recorded.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizers: Sequence[Any],
        guard: Guard,
        *,
        whole: bool,
        scale: Callable[[], float],
        began: Callable[..., bool],
    ) -> None:
        reshard(model)
        self.modules = layers_module.modules(model)
        held = [weight.parameter for module in self.modules for weight in module.weights]
        self.parameters = list(dict.fromkeys(held))
        self._place = {id(parameter): place for place, parameter in enumerate(self.parameters)}
        self.owner = self._owners(optimizers)
        self._owned = {
            number: [place for place, each in enumerate(self.owner) if each == number]
            for number in set(self.owner)
        }
        firsts = [self._place[id(module.weights[0].parameter)] for module in self.modules]
        self._layer_owner = [self.owner[place] for place in firsts]
        self._last_reached: list[int] = []
        self._last_owners: frozenset[int] = frozenset()
        self.shares = shares(model, self.parameters)
        self.rows: list[rows.Place] = []
        self._layers: tuple[Layer, ...] = ()
        self.accumulation, self.batch_size = 1, 0
        self._whole, self._scale, self._began = whole, scale, began
        self._rare = False
        self.gradients = WeightGradients(
            self.parameters, guard, self._ended, shared=several_processes(), whole=whole
        )
        # One column more than there are parameters, always NaN: weights, changes, their errors.
        self._table = np.full((3, len(self.parameters) + 1), np.nan)
        self._weights, self._updates = self._table[0], self._table[1:]
        self.calls = LayerCalls(model, self.modules, guard, self.gradients.queue)
        self.updates = Updates(self.parameters)
        self._sizes = np.array([*(max(each.numel(), 1) for each in self.parameters), 1])
        double = any(each.dtype == torch.float64 for each in self.parameters)
        self.dtype = np.dtype(np.float64 if double else np.float32)
        self.begin_step()

    def begin_step(self) -> None:
        """Forget the step before."""
        self.kept: list[LayerCall] = []
        self.passes = 0  # backward passes
        self._done: set[int] = set()
        self._weighed: list[int] = []
        self._distinct: dict[int, float] = {}
        self._passes: rows.Passes | None = None
        self._table.fill(np.nan)
        self.gradients.begin_step()
        self.calls.begin_step()

    def attach(self, *, calls: bool, whole: bool, rare: bool) -> None:
        """Put hooks on for the step to come: on the calls too; and say how much is measured.

        `rare` asks for what is measured now and then only.
        """
        self._whole = self.gradients.whole = whole
        self._rare = self.calls.spreads = rare and whole
        self.gradients.attach()
        self.calls.attach() if calls else self.calls.detach()

    def detach(self) -> None:
        """Take all hooks off."""
        self.gradients.detach()
        self.calls.detach()

    def before_update(self, owner: int) -> float | None:
        """Keep the weights of an optimizer; return by what it finds its gradients clipped."""
        places = self._owned[owner]
        if self._whole:
            self._weights[places] = self.updates.weight_norms(places)
            self._weighed += places
            self.updates.keep(places)
            if self._rare and not self._distinct:
                self._distinct = units.distinct_by_parameter(self.modules)
        return self.gradients.clipped(places)

    def updated(self, owner: int) -> None:
        """Note that an optimizer has stepped."""
        self._done.add(owner)

    def update(self) -> None:
        """Compare the weights with what was kept of them before their updates."""
        if self._whole:
            self.updates.changes(self._updates)

    def changes(self) -> dict[str, np.ndarray]:
        """Return the arrays of what has changed since the last call of `before_update`."""
        found = np.full((2, len(self.parameters) + 1), np.nan)
        self.updates.changes(found)
        names = ("update_norm", "update_norm_se")
        return {name: each[self._parameter_of_row] for name, each in zip(names, found, strict=True)}

    def learn_layers(self) -> None:
        """Settle the trace's layers by the calls of this step, the first."""
        self.rows = rows.places(self.modules, self.kept)
        self._parameter_of_row = np.array(
            [
                -1
                if place.weight is None
                else self._place[id(self.modules[place.layer].weights[place.weight].parameter)]
                for place in self.rows
            ]
        )
        self.accumulation = self.passes
        self.batch_size = self.calls.batch_size
        self._layers = rows.layers(self.modules, self.rows, self.kept)

    def layers(self) -> tuple[Layer, ...]:
        """Describe the trace's layers."""
        return self._layers or rows.layers(self.modules, rows.places(self.modules, []), [])

    def shared_weights(self) -> list[str]:
        """Return, for each weight that several layers hold, their names in one string."""
        names: dict[int, list[str]] = {}
        for module in self.modules:
            for weight in module.weights:
                names.setdefault(id(weight.parameter), []).append(weight.name)
        return [" = ".join(each) for each in names.values() if len(each) > 1]

    def values(self) -> dict[str, Any]:
        """Return the arrays of this step, of what this process holds of it."""
        if not self._whole:
            return self._cheap_values(self.gradients.table)
        table = np.concatenate([self.gradients.table, self._table])
        passes = self._passes = rows.passes(self.kept) if self.kept else None
        return self._whole_values(table, passes.delta_norm if passes else None)

    def shared_values(self, due: float) -> tuple[dict[str, Any], float, bool]:
        """Return the arrays over all processes, the first's `due`, and whether one has stopped."""
        assert self.shares
        passes = self._passes = rows.passes(self.kept) if self.kept else None
        deltas = dict(zip(passes.keys, passes.delta_norm, strict=True)) if passes else {}
        # So many numbers on every process, whatever was called here: the first two calls.
        keys = [(layer, number) for layer in range(len(self.modules)) for number in (1, 2)]
        by_call = np.array([deltas.get(key, np.nan) for key in keys])
        table = np.concatenate([self.gradients.table, self._table])
        table[SQUARES] **= 2
        table, by_call, due, stopped = self.shares.total(table, by_call**2, due)
        table[SQUARES] **= 0.5
        if not self._whole:
            return self._cheap_values(table), due, stopped
        deltas = dict(zip(keys, np.sqrt(by_call), strict=True))
        mine = np.array([deltas.get(key, np.nan) for key in passes.keys]) if passes else None
        return self._whole_values(table, mine), due, stopped

    def tell_stopped(self) -> None:
        """Join the other processes' sum for the last time, with nothing to add."""
        assert self.shares
        nothing = np.full(2 * len(self.modules), np.nan)
        self.shares.total(
            np.full((6, len(self.parameters) + 1), np.nan), nothing, 0.0, stopped=True
        )

    def origin(self, loss: float | None) -> Origin | None:
        """Return where the first NaN or Inf of this step arose; None where there is none."""
        if self.kept and not self._passes:
            self._passes = rows.passes(self.kept)
        calls_finite = self._passes is None or self._passes.is_finite
        if calls_finite and self.gradients.all_finite and (loss is None or math.isfinite(loss)):
            return None
        nonfinite = np.nan_to_num(self.gradients.nonfinite)
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
        """Return the norm of all gradients that the last backward pass has reached."""
        return math.sqrt(self.gradients.square) / self._scale()

    def _ended(self) -> None:
        calls, reached = self.calls.take(), self.gradients.reached
        sharded = self.shares is not None and self.shares.sharded
        # torch.autograd.grad reaches no weight; nor does, yet, a pass whose gradients `fully_shard`
        # is told to leave unsummed.
        owners = self._owners_of(reached)
        if (not reached and not sharded) or not self._began(
            again=bool(owners) and owners <= self._done
        ):
            return
        if self.passes == MOST:
            self.detach()
            LOG.warning(TOO_MANY, MOST)
            return
        # What only passes through the weights of another optimizer is no delta of theirs.
        counted = (owners | {NOBODY} if reached else set(self.owner)) - self._done
        if not owners <= counted:
            reached = [place for place in reached if self.owner[place] in counted]
        self.gradients.reached = reached  # a step that has ended just now forgot it
        scale = self._scale()
        if self.gradients.read(scale):
            self.kept = [call for call in self.kept if self._owner_of(call) not in counted]
        for call in calls:
            if self._owner_of(call) in counted:
                call.scale = scale
                self.kept.append(call)
        self.passes += 1

    def _owners_of(self, reached: list[int]) -> frozenset[int]:
        """Return whose weights a pass has reached: as a rule the same as the pass before."""
        if reached is not self._last_reached:
            self._last_reached = reached
            self._last_owners = frozenset(self.owner[place] for place in reached)
        return self._last_owners

    def _owner_of(self, call: LayerCall) -> int:
        return self._layer_owner[call.layer]

    def _owners(self, optimizers: Sequence[Any]) -> list[int]:
        owner = [NOBODY] * len(self.parameters)
        for number, optimizer in enumerate(optimizers):
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    place = self._place.get(id(parameter))
                    if place is not None:
                        owner[place] = number
        return owner

    def _cheap_values(self, table: np.ndarray) -> dict[str, np.ndarray]:
        norm, _, nonfinite = table[:3, self._parameter_of_row]
        return {"grad_norm": norm, "nonfinite": nonfinite}

    def _whole_values(self, table: np.ndarray, deltas: np.ndarray | None) -> dict[str, Any]:
        table[SUMS.index("grad_mean_abs")] /= self._sizes
        arrays: dict[str, Any] = dict(zip(SUMS, table[:, self._parameter_of_row], strict=True))
        if deltas is not None and self._passes:
            by_call = np.vstack([deltas, *self._passes.values.values()])
            found = np.column_stack([by_call, np.full(len(by_call), np.nan)])
            found = found[:, rows.places_of_keys(self.rows, self._passes.keys)]
            arrays |= zip(("delta_norm", *self._passes.values), found, strict=True)
            if self.calls.input_norm is not None:
                size = numbers([self.calls.input_norm])[0]
                arrays["input_rms"] = size / math.sqrt(max(self.calls.input_size, 1))
        if self._distinct:
            arrays["distinct_units"] = units.by_row(
                self._parameter_of_row, self.parameters, self._distinct
            )
        if self.calls.output_spread is not None:
            arrays["output_spread"] = numbers([self.calls.output_spread])[0]
        return arrays
