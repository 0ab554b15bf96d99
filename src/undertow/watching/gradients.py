"""Gradients as they are when a backward pass ends: accumulated, unscaled, before any clipping.

A hook on each weight tells that its gradient has arrived, and asks the engine to call back when the
whole pass is over. (An optimizer's hook comes too late: it sees clipped gradients, and with a
GradScaler scaled ones.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.weak import TensorWeakRef

from undertow.watching.hooks import DISPATCH_SECONDS, Guard
from undertow.watching.norms import entries, norms, numbers


class Gradients:
    """The gradients of some parameters, read after each backward pass that reaches them.

    `ended` is called when a pass has ended, with the places of the parameters that it reached. With
    several processes the engine has work of its own at the end, so the call waits for a second
    round.
    """

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        guard: Guard,
        ended: Callable[[list[int]], None],
        *,
        shared: bool,
        whole: bool,
    ) -> None:
        self._parameters, self._guard, self._ended = parameters, guard, ended
        self._rounds = 2 if shared else 1
        self.whole = whole
        self._handles: list[Any] = []
        self._reached: dict[int, None] = {}
        self._queued = False
        self._first: dict[int, TensorWeakRef] = {}
        self._versions: dict[int, int] = {}
        self.begin_step()

    def begin_step(self) -> None:
        """Forget what was read."""
        count = len(self._parameters)
        self.norm = np.full(count, np.nan)
        self.abs_sum = np.full(count, np.nan)
        self.nonfinite = np.full(count, np.nan)
        self._first.clear()
        self._versions.clear()
        self._reached.clear()
        self._queued = False

    def attach(self) -> None:
        """Put the hooks on."""
        if self._handles:
            return
        for place, parameter in enumerate(self._parameters):
            if parameter.requires_grad:
                hook = partial(self._arrived, place)
                self._handles.append(parameter.register_post_accumulate_grad_hook(hook))

    def detach(self) -> None:
        """Take the hooks off."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def queue(self) -> None:
        """Ask to be called when the backward pass that runs now is over."""
        if not self._queued:
            self._queued = True
            self._ask(self._rounds)

    @torch.no_grad()
    def read(self, places: Sequence[int], scale: float) -> bool:
        """Read these gradients; tell whether they were begun anew since they were read before."""
        grads = [self._parameters[place].grad for place in places]
        there = [
            (place, grad) for place, grad in zip(places, grads, strict=True) if grad is not None
        ]
        if not there:
            return False
        locals_ = [local(grad) for _, grad in there]
        places = [place for place, _ in there]
        found = numbers(norms(locals_))
        self.norm[places] = found / scale
        self.nonfinite[places] = 0
        if self.whole:
            self.abs_sum[places] = numbers(norms(locals_, 1)) / scale
        if not np.isfinite(found).all():
            for place in np.flatnonzero(~np.isfinite(found)):
                bad = ~torch.isfinite(entries(locals_[place]))
                self.nonfinite[places[place]] = int(bad.sum())
        self._versions.update((place, grad._version) for place, grad in there)
        return self._anew(*there[0])

    @torch.no_grad()
    def clipped(self, places: Sequence[int]) -> float | None:
        """Return by what the gradients were multiplied since they were read; None if by nothing."""
        there = [
            (place, grad)
            for place in places
            if place in self._versions and (grad := self._parameters[place].grad) is not None
        ]
        # A sharded tensor keeps its version when it is clipped.
        if not any(
            hasattr(grad, "to_local") or grad._version != self._versions[place]
            for place, grad in there
        ):
            return None
        now = numbers(norms([local(grad) for _, grad in there]))
        before = np.sqrt(np.sum(self.norm[[place for place, _ in there]] ** 2))
        return float(np.sqrt(np.sum(now**2)) / before) if before > 0 else None

    def _arrived(self, place: int, _: Tensor) -> None:
        # One for each weight, so without the guard: nothing in it can fail.
        self._reached[place] = None
        if not self._queued:
            self._guard.run(self.queue)

    def _ask(self, rounds: int) -> None:
        engine: Any = torch.autograd.Variable._execution_engine  # pyright: ignore
        if rounds:
            engine.queue_callback(partial(self._guard.run, self._ask, rounds - 1))
        else:
            self._over()

    def _over(self) -> None:
        reached, self._reached = list(self._reached), {}
        self._guard.seconds += len(reached) * DISPATCH_SECONDS
        if reached and self._rounds > 1:
            # Other processes may have reached what this one did not.
            reached = [i for i, each in enumerate(self._parameters) if each.grad is not None]
        self._queued = False
        self._ended(reached)

    def _anew(self, place: int, grad: Tensor) -> bool:
        """Tell whether a gradient is another tensor than before: it was set to None between."""
        before = self._first.get(place)
        self._first[place] = TensorWeakRef(grad)
        return before is not None and not grad.is_sparse and before() is not grad


def local(tensor: Tensor) -> Tensor:
    """Return the share of a sharded tensor that lies here; any other as it is."""
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor  # pyright: ignore
