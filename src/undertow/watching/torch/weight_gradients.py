"""Gradients as they are when a backward pass ends: accumulated, unscaled, before any clipping.

A hook on each weight tells that its gradient has arrived, and asks the engine to call back when the
whole pass is over. (An optimizer's hook comes too late: it sees clipped gradients, and with a
GradScaler scaled ones.)

Once `STEADY` steps have been alike, one pass that came to every weight and an update that found
the gradients as it had left them, the hook on the weight that comes first is enough. The first step
of another kind is then not measured, and all hooks are on again for good: the gradients of one step
may be missing, but none are read late.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter, is_
from types import NoneType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from undertow.watching.core.guard import Guard
from undertow.watching.torch.hooks import DISPATCH_SECONDS
from undertow.watching.torch.norms import SAFE, entries, magnitude, norms, numbers, plain_norms

# Mapped over a list these cost a fraction of what a loop does, in the cold of a training's midst.
_GRAD, _IS_SPARSE, _VERSION, _IS_FREE = map(
    attrgetter, ("grad", "is_sparse", "_version", "requires_grad")
)


STEADY = 10  # steps alike, after which one hook is enough


class BackwardPass(NamedTuple):
    """The gradients that a backward pass has reached, as they were when they were read."""

    places: list[int]
    grads: list[Tensor]
    versions: list[int]


class PassesOfStep:
    """The backward passes of a step, as their gradients were when they were read.

    `counts` tells that each version of a gradient is one change: what is true of plain tensors.
    """

    def __init__(self, counts: bool) -> None:
        self._counts = counts
        self._passes: list[BackwardPass] = []

    def clear(self) -> None:
        """Forget them."""
        self._passes = []

    def add(self, now: BackwardPass) -> bool:
        """Add one; tell whether a gradient was set to None or to zero since it was read.

        Then it is another tensor, or has been changed more than the once that adding to it takes.
        A sparse gradient is another tensor each time, so of it nothing can be told.
        """
        known = self._last_read()
        self._passes.append(now)
        if not known:
            return False
        for place, grad, version in zip(*now, strict=True):
            if place in known and not grad.is_sparse:
                before, was = known[place]
                if grad is not before or (self._counts and version != was + 1):
                    return True
        return False

    def only(self) -> BackwardPass | None:
        """Take the pass away, if it is the only one."""
        return self._passes.pop() if len(self._passes) == 1 else None

    def take(self, places: Sequence[int]) -> BackwardPass:
        """Take these gradients away, as they were read last."""
        read = self._last_read()
        self._passes = [_as_pass({at: each for at, each in read.items() if at not in places})]
        return _as_pass({at: read[at] for at in places if at in read})

    def _last_read(self) -> dict[int, tuple[Tensor, int]]:
        """Return each gradient and its version as it was when it was read last."""
        read: dict[int, tuple[Tensor, int]] = {}
        for each in self._passes:
            read.update(zip(each.places, zip(each.grads, each.versions, strict=True), strict=True))
        return read


def _as_pass(read: dict[int, tuple[Tensor, int]]) -> BackwardPass:
    return BackwardPass(
        list(read), [grad for grad, _ in read.values()], [version for _, version in read.values()]
    )


class WeightGradients:
    """The gradients of some parameters, read after each backward pass that reaches them.

    `ended` is called when a pass has ended; `reached` then lists the parameters that it came to,
    and `read` takes their gradients. With several processes the engine has work of its own at the
    end, so the call waits for a second round.
    """

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        guard: Guard,
        ended: Callable[[], None],
        *,
        shared: bool,
        whole: bool,
    ) -> None:
        self._parameters, self._guard, self._ended = parameters, guard, ended
        self._rounds = 2 if shared else 1
        self.whole = whole
        self._handles: list[Any] = []
        self._hooked: tuple[int, bool] | None = None  # how many are free, and whether one is enough
        self._alike = 0  # steps, one after the other
        self._lone = False  # one hook speaks for all
        self._may_be_lone = not shared
        self._arrivals: list[int] = []
        self._task = -1  # the backward pass that will call back
        # What the last pass came to; the next one comes to the same as a rule.
        self._usual: list[int] = []
        self._usual_parameters: list[nn.Parameter] = []
        self._usual_at = np.zeros(0, int)
        # Where every gradient is a plain tensor that one fused call can take as it is.
        self._plain = not shared and all(
            each.is_cpu and each.dtype == torch.float32 and 0 < each.numel() <= SAFE
            for each in parameters
        )
        # One column more, always NaN, for what has no parameter.
        self.table = np.full((3, len(parameters) + 1), np.nan)
        self.norm, self.abs_sum, self.nonfinite = self.table
        self._passes = PassesOfStep(self._plain)
        self.begin_step()

    def begin_step(self) -> None:
        """Forget what was read."""
        self.table.fill(np.nan)
        self.all_finite, self.square = True, 0.0  # of the last pass
        self._passes.clear()
        self._arrivals.clear()
        self.reached: list[int] = []
        self._task = -1

    def attach(self) -> None:
        """Put the hooks on."""
        free = sum(map(_IS_FREE, self._parameters))
        lone = self._may_be_lone and self._alike >= STEADY and free == len(self._usual)
        if (free, lone) == self._hooked:
            return
        self.detach()
        self._hooked, self._lone = (free, lone), lone
        for place in self._usual[:1] if lone else range(len(self._parameters)):
            parameter = self._parameters[place]
            if parameter.requires_grad:
                arrived = self._arrived(place)
                self._handles.append(parameter.register_post_accumulate_grad_hook(arrived))

    def detach(self) -> None:
        """Take the hooks off."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._hooked = None

    def queue(self) -> None:
        """Ask to be called when the backward pass that runs now is over."""
        task = torch._C._current_graph_task_id()
        if task != self._task:
            self._task = task
            self._ask(self._rounds)

    def read(self, scale: float) -> bool:
        """Read the gradients just reached; tell whether they were begun anew since the last time.

        `scale` is what the loss is multiplied by.
        """
        there = self.reached
        if not there:
            return False
        self._learn(there)
        grads = list(map(_GRAD, self._usual_parameters))
        if self._plain and not any(map(_IS_SPARSE, grads)):
            here, found = grads, plain_norms(grads)
        else:
            with torch.no_grad():
                here = [local(grad) for grad in grads]
                found = numbers(norms(here))
        at = self._usual_at
        self.norm[at] = found / scale
        self.nonfinite[at] = 0.0
        if self.whole:
            self.abs_sum[at] = numbers([magnitude(each) for each in here]) / scale
        self.square = float(found.dot(found))
        if not math.isfinite(self.square):
            self.all_finite = False
            for i in np.flatnonzero(~np.isfinite(found)):
                self.nonfinite[there[i]] = int((~torch.isfinite(entries(here[i]))).sum())
        return self._passes.add(BackwardPass(there, grads, list(map(_VERSION, grads))))

    def clipped(self, places: Sequence[int]) -> float | None:
        """Return by what these gradients were multiplied since they were read; None if by nothing.

        Afterwards it is forgotten what they were.
        """
        only = self._passes.only() if len(places) == len(self._parameters) else None
        alone, read = only is not None, self._passes.take(places) if only is None else only
        # A sharded tensor keeps its version when it is clipped.
        sharded = not self._plain and any(hasattr(grad, "to_local") for grad in read.grads)
        untouched = list(map(_VERSION, read.grads)) == read.versions and not sharded
        self._judge(alone and untouched, read)
        if untouched:
            return None
        with torch.no_grad():
            now = numbers(norms([local(grad) for grad in read.grads]))
        before = self.norm[read.places]
        before, after = math.sqrt(before.dot(before)), math.sqrt(now.dot(now))
        return after / before if before > 0 else None

    def _judge(self, alike: bool, read: BackwardPass) -> None:
        """Count the steps that are alike; where one hook may have missed a pass, forget it all."""
        if self._lone:  # were they set to None, and made anew by a pass that came by no hook?
            alike = alike and all(map(is_, map(_GRAD, self._usual_parameters), read.grads))
            if not alike:
                self.table.fill(np.nan)
                self.all_finite, self.square = True, math.nan
                self._passes.clear()
                self._may_be_lone = False
        self._alike = self._alike + 1 if alike else 0

    def _learn(self, there: list[int]) -> None:
        """Remember what a pass came to, unless it is what the one before came to."""
        if there is not self._usual:
            self._usual, self._usual_at, self._alike = there, np.array(there), 0
            self._usual_parameters = [self._parameters[place] for place in there]

    def _arrived(self, place: int) -> Callable[[Tensor], None]:
        """Return the hook of a weight: in the midst of the backward pass, so it is short."""
        note, current_task = self._arrivals.append, torch._C._current_graph_task_id

        def arrived(_: Tensor) -> None:
            note(place)
            if self._task != current_task():
                self._guard.run(self.queue)

        return arrived

    def _ask(self, rounds: int) -> None:
        engine: Any = torch.autograd.Variable._execution_engine  # pyright: ignore
        if rounds:
            engine.queue_callback(partial(self._guard.run, self._ask, rounds - 1))
        else:
            self._over()

    def _over(self) -> None:
        there = self._arrivals[:]
        self._arrivals.clear()
        self._task = -1
        self._guard.seconds += len(there) * DISPATCH_SECONDS
        usual = self._lone or there == self._usual
        # A pass within a pass comes to a weight twice.
        there = self._usual if usual else list(dict.fromkeys(there))
        grads = map(_GRAD, map(self._parameters.__getitem__, there))
        if NoneType in set(map(type, grads)):
            # A hook of the user's that steps the optimizer at once has cleared a gradient.
            there = [place for place in there if self._parameters[place].grad is not None]
        if there and self._rounds > 1:
            # Other processes may have reached what this one did not.
            there = [i for i, each in enumerate(self._parameters) if each.grad is not None]
        self.reached = there
        self._ended()


def local(tensor: Tensor) -> Tensor:
    """Return the share of a sharded tensor that lies here; any other as it is."""
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor  # pyright: ignore
