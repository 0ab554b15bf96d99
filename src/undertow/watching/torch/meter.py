"""The meter of PyTorch: all that reads a model within a step, and the row that comes of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import nn

from undertow.trace.record import Layer
from undertow.watching.core.guard import Guard
from undertow.watching.core.log import LOG
from undertow.watching.core.meter import Look
from undertow.watching.core.origin import Origin
from undertow.watching.torch import layers as layers_module
from undertow.watching.torch import rows, units
from undertow.watching.torch.distributed import reshard, several_processes, shares
from undertow.watching.torch.distributed_sync import DistributedSync
from undertow.watching.torch.facts import facts
from undertow.watching.torch.grad_scaler import LossScale
from undertow.watching.torch.layer_calls import LayerCall, LayerCalls
from undertow.watching.torch.layer_weights import NOBODY, LayerWeights
from undertow.watching.torch.nonfinite_origin import origin
from undertow.watching.torch.optimizer_hooks import OptimizerHooks
from undertow.watching.torch.step_arrays import RowLayout
from undertow.watching.torch.unseen import unseen
from undertow.watching.torch.updates import Updates
from undertow.watching.torch.weight_gradients import WeightGradients

MOST = 1000  # backward passes of a step
TOO_MANY = (
    "undertow: %s backward passes and no step of the optimizer: this step is not measured further; "
    "was it replaced by another?"
)


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
        scale: LossScale,
        around: OptimizerHooks,
        *,
        whole: bool,
        began: Callable[..., bool],
    ) -> None:
        reshard(model)
        self.modules = layers_module.modules(model)
        self.weights = LayerWeights(self.modules, optimizers)
        self.parameters, self.dtype = self.weights.parameters, self.weights.dtype
        self.shares = shares(model, self.parameters)
        self.sync = self.shares and DistributedSync(
            self.shares, guard, parameters=len(self.parameters), layers=len(self.modules)
        )
        self._layout: RowLayout | None = None
        self._layers: tuple[Layer, ...] = ()
        self._known: set[rows.Key] = set()  # calls whose edges were looked for
        self._traced = False  # there is nothing new to look for
        self._accumulation, self._batch_size = 1, 0
        self._optimizers, self._scale, self._around = optimizers, scale, around
        self._whole, self._began = whole, began
        self._rare = False
        self.gradients = WeightGradients(
            self.parameters, guard, self._ended, shared=several_processes(), whole=whole
        )
        # One column more than there are parameters, always NaN: weights, changes, their errors.
        self._table = np.full((3, len(self.parameters) + 1), np.nan)
        self._norms, self._updates = self._table[0], self._table[1:]
        self.calls = LayerCalls(model, self.modules, guard, self.gradients.queue)
        self.updates = Updates(self.parameters)
        self._forget()

    @property
    def count(self) -> int:
        return len(self.modules)

    @property
    def is_shared(self) -> bool:
        return self.shares is not None

    @property
    def is_scaled(self) -> bool:
        return self._scale.used

    def begin_step(self, look: Look) -> None:
        self._forget()
        self._around.attach()
        self.calls.traces = not self._traced
        self._whole = self.gradients.whole = look.whole
        self._rare = self.calls.spreads = look.rare and look.whole
        self.gradients.attach()
        self.calls.attach() if look.calls else self.calls.detach()

    def detach(self) -> None:
        self._around.detach()
        self.gradients.detach()
        self.calls.detach()

    def before_update(self, owner: int) -> float | None:
        """Keep the weights of an optimizer; return by what it finds its gradients clipped."""
        places = self.weights.owned.get(owner, [])
        if self._whole and places:
            self._norms[places] = self.updates.weight_norms(places)
            self._weighed += places
            self.updates.keep(places)
            if self._rare and not self._distinct:
                self._distinct = units.distinct_by_parameter(self.modules)
        return self.gradients.clipped(places)

    def clipped(self, owner: int) -> float | None:
        """Return by what an optimizer's gradients were multiplied since they were read."""
        return self.gradients.clipped(self.weights.owned.get(owner, []))

    def changes(self) -> dict[str, np.ndarray]:
        """Return the arrays of what has changed since the last call of `before_update`."""
        assert self._layout
        found = np.full((2, len(self.parameters) + 1), np.nan)
        self.updates.changes(found)
        return self._layout.changes(found)

    def values(self, step: int, due: int | None) -> tuple[dict[str, Any], int | None]:
        self._layout = self._layout or self._learn_layers()
        called = {call.key for call in self.kept}
        self._known |= called if self.calls.traces else set()
        self._traced = called <= self._known
        if self._optimizers and self._whole:
            self.updates.changes(self._updates)
        if self.sync and due is not None:
            table = self._sums()
            table, deltas, due = self.sync.total(step, table, self._passes, due)
            found = self._values(table, deltas)
        else:
            found = self._values(self._sums() if self._whole else self.gradients.table)
        if self._optimizers:
            found["learning_rate"] = np.float64(self._optimizers[0].param_groups[0]["lr"])
        return found, due

    def origin(self, loss: float | None) -> Origin | None:
        if self.kept and not self._passes:
            self._passes = rows.passes(self.kept)
        calls_finite = self._passes is None or self._passes.is_finite
        if calls_finite and self.gradients.all_finite and (loss is None or math.isfinite(loss)):
            return None
        nonfinite = np.nan_to_num(self.gradients.nonfinite)
        bad = {place for place in self._weighed if not math.isfinite(self._norms[place])}
        return origin(self.kept, self.modules, bad, nonfinite, self.weights.place, loss)

    def total_norm(self) -> float:
        return math.sqrt(self.gradients.square) / self._scale.now()

    def layers(self) -> tuple[Layer, ...]:
        return self._layers or rows.layers(self.modules, rows.places(self.modules, []), [])

    def unseen(self) -> dict[str, str]:
        called = {call.layer for call in self.kept}
        asked = range(len(self.modules)) if self._whole else ()
        missed = {layer: self.calls.why_unseen(layer) for layer in asked if layer not in called}
        ran = self.calls.called
        return unseen(self.modules, self.gradients.nonfinite, self.weights.place, missed, ran)

    def facts(self) -> dict[str, Any]:
        places = self._layout.places if self._layout else []
        return facts(
            self.parameters[0],
            self.modules,
            self._optimizers,
            batch_size=self._batch_size,
            accumulation=self._accumulation,
            scale=self._scale.now(),
            processes=self.shares.world if self.shares else None,
            edges=rows.edges(self.calls.edges, places, self._layers),
        )

    def _forget(self) -> None:
        """Forget the step before."""
        self.kept: list[LayerCall] = []
        self.passes = 0  # backward passes
        self.done: set[int] = set()  # optimizers that have stepped
        self._weighed: list[int] = []
        self._distinct: dict[int, float] = {}
        self._passes: rows.Passes | None = None
        self._table.fill(np.nan)
        self.gradients.begin_step()
        self.calls.begin_step()

    def _learn_layers(self) -> RowLayout:
        """Settle the trace's layers by the calls of this step, the first."""
        places = rows.places(self.modules, self.kept)
        self._layers = rows.layers(self.modules, places, self.kept)
        self._accumulation, self._batch_size = self.passes, self.calls.batch_size
        return RowLayout(self.modules, places, self.parameters)

    def _sums(self) -> np.ndarray:
        """Return the table of what was read of each weight, with a row for each of `TABLE`."""
        self._passes = rows.passes(self.kept) if self.kept else None
        return np.concatenate([self.gradients.table, self._table])

    def _values(self, table: np.ndarray, deltas: np.ndarray | None = None) -> dict[str, Any]:
        assert self._layout
        if not self._whole:
            return self._layout.gradients(table)
        if deltas is None and self._passes:
            deltas = self._passes.delta_norm
        return self._layout.whole(table, self._passes, deltas, self.calls, self._distinct)

    def _ended(self) -> None:
        calls, reached = self.calls.take(), self.gradients.reached
        sharded = self.shares is not None and self.shares.sharded
        # torch.autograd.grad reaches no weight; nor does, yet, a pass whose gradients `fully_shard`
        # is told to leave unsummed.
        owners = self.weights.owners(reached)
        if (not reached and not sharded) or not self._began(
            again=bool(owners) and owners <= self.done
        ):
            return
        if self.passes == MOST:
            self.detach()
            LOG.warning(TOO_MANY, MOST)
            return
        # What only passes through the weights of another optimizer is no delta of theirs.
        counted = (owners | {NOBODY} if reached else set(self.weights.owner)) - self.done
        if not owners <= counted:
            reached = [place for place in reached if self.weights.owner[place] in counted]
        self.gradients.reached = reached  # a step that has ended just now forgot it
        scale = self._scale.now()
        if self.gradients.read(scale):
            self.kept = [
                call for call in self.kept if self.weights.layer_owner[call.layer] not in counted
            ]
        for call in calls:
            if self.weights.layer_owner[call.layer] in counted:
                call.scale = scale
                self.kept.append(call)
        self.passes += 1
