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
from undertow.watching.torch import rows
from undertow.watching.torch.distributed import reshard, several_processes, shares
from undertow.watching.torch.distributed_sync import DistributedSync
from undertow.watching.torch.facts import facts
from undertow.watching.torch.grad_scaler import LossScale
from undertow.watching.torch.known_edges import KnownEdges
from undertow.watching.torch.layer_calls import LayerCall, LayerCalls
from undertow.watching.torch.layer_weights import NOBODY, LayerWeights
from undertow.watching.torch.nonfinite_origin import origin
from undertow.watching.torch.optimizer_hooks import OptimizerHooks
from undertow.watching.torch.step_arrays import RowLayout
from undertow.watching.torch.unseen import unseen
from undertow.watching.torch.weight_changes import WeightChanges
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
        self._edges = KnownEdges()
        self._accumulation, self._batch_size = 1, 0
        self._optimizers, self._scale, self._around = optimizers, scale, around
        self._whole, self._rare, self._began = whole, False, began
        self.gradients = WeightGradients(
            self.parameters, guard, self._ended, shared=several_processes(), whole=whole
        )
        self.calls = LayerCalls(model, self.modules, guard, self.gradients.queue)
        self._around_update = WeightChanges(self.modules, self.parameters)
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
        self.calls.traces = not self._edges.is_complete
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
        if self._whole:
            self._around_update.before(places, units_too=self._rare)
        self._unread = self.passes == 0  # a closure makes the pass while the optimizer steps
        return self.gradients.clipped(places)

    def after_update(self, owner: int) -> float | None:
        """Note that an optimizer has stepped; return by what a closure of it has clipped."""
        self.done.add(owner)
        late, self._unread = self._unread and self.passes > 0, False
        return self.gradients.clipped(self.weights.owned.get(owner, [])) if late else None

    def changes(self) -> dict[str, np.ndarray]:
        """Return the arrays of what has changed since the last call of `before_update`."""
        assert self._layout
        return self._layout.changes(self._around_update.since())

    def values(self, step: int, due: int | None) -> tuple[dict[str, Any], int | None]:
        self._layout = self._layout or self._learn_layers()
        known = self._edges
        (known.looked_for if self.calls.traces else known.see)({call.key for call in self.kept})
        if self._optimizers and self._whole:
            self._around_update.after()
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
        bad = self._around_update.not_finite()
        return origin(self.kept, self.modules, bad, nonfinite, self.weights.place, loss)

    def total_norm(self) -> float:
        return math.sqrt(self.gradients.square) / self._scale.now()

    def layers(self) -> tuple[Layer, ...]:
        return self._layers or rows.layers(self.modules, rows.places(self.modules, []), [])

    def unseen(self) -> dict[str, str]:
        called = {call.layer for call in self.kept}
        asked = range(len(self.modules)) if self._whole else ()
        missed = {layer: self.calls.why_unseen(layer) for layer in asked if layer not in called}
        came = self.gradients.nonfinite
        return unseen(self.modules, came, self.weights.place, missed, self.calls.called)

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
            edges=self._edges.named(places, self._layers),
        )

    def _forget(self) -> None:
        """Forget the step before."""
        self.kept: list[LayerCall] = []
        self.passes = 0  # backward passes
        self.done: set[int] = set()  # optimizers that have stepped
        self._unread = False
        self._passes: rows.Passes | None = None
        self._around_update.begin_step()
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
        return np.concatenate([self.gradients.table, self._around_update.table])

    def _values(self, table: np.ndarray, deltas: np.ndarray | None = None) -> dict[str, Any]:
        assert self._layout
        if not self._whole:
            return self._layout.gradients(table)
        if deltas is None and self._passes:
            deltas = self._passes.delta_norm
        distinct = self._around_update.distinct
        return self._layout.whole(table, self._passes, deltas, self.calls, distinct)

    def _ended(self) -> None:
        calls, reached = self.calls.take(), self.gradients.reached
        sharded = self.shares is not None and self.shares.sharded
        # torch.autograd.grad reaches no weight; nor does, yet, a pass whose gradients `fully_shard`
        # is told to leave unsummed.
        owners = self.weights.owners(reached)
        again = bool(owners) and owners <= self.done
        if (not reached and not sharded) or not self._began(again=again):
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
        count = {layer for layer, owner in enumerate(self.weights.layer_owner) if owner in counted}
        if self.gradients.read(scale):  # they were set to zero since the last pass
            self.kept = [call for call in self.kept if call.layer not in count]
            if self.calls.traces:
                self._edges.forget(count)
        calls = [call for call in calls if call.layer in count]
        for call in calls:
            call.scale = scale
        self.kept += calls
        self._edges.take(self.calls.edges, {call.key for call in calls})
        self.passes += 1
