"""Gradients as they are when a backward pass ends: accumulated, unscaled, before any clipping.

A hook on each weight tells that its gradient has arrived, and asks the engine to call back when the
whole pass is over. (An optimizer's hook comes too late: it sees clipped gradients, and with a
GradScaler scaled ones.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from undertow.watching.hooks import DISPATCH_SECONDS, Guard
from undertow.watching.norms import SAFE, entries, magnitude, norms, numbers, plain_norms

# In a cold loop these cost half of what an expression does.
_GRAD, _IS_SPARSE, _VERSION = map(attrgetter, ("grad", "is_sparse", "_version"))


class Read(NamedTuple):
    """A gradient as it was when it was read."""

    grad: Tensor
    version: int


class Gradients:
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
        self._place = {id(parameter): place for place, parameter in enumerate(parameters)}
        self._arrivals: dict[nn.Parameter, None] = {}
        self._task = -1  # the backward pass that will call back
        # Where every gradient is a plain tensor that one fused call can take as it is.
        self._plain = not shared and all(
            each.is_cpu and each.dtype == torch.float32 and 0 < each.numel() <= SAFE
            for each in parameters
        )
        # One column more, always NaN, for what has no parameter.
        self.table = np.full((3, len(parameters) + 1), np.nan)
        self.norm, self.abs_sum, self.nonfinite = self.table
        self.begin_step()

    def begin_step(self) -> None:
        """Forget what was read."""
        self.table.fill(np.nan)
        self.all_finite, self.square = True, 0.0  # of the last pass
        self._read: dict[int, Read] = {}
        self._arrivals.clear()
        self.reached: list[int] = []
        self._task = -1

    def attach(self) -> None:
        """Put the hooks on."""
        free = [parameter for parameter in self._parameters if parameter.requires_grad]
        if len(free) == len(self._handles):
            return
        self.detach()
        for parameter in free:
            self._handles.append(parameter.register_post_accumulate_grad_hook(self._arrived))

    def detach(self) -> None:
        """Take the hooks off."""
        if self._handles:
            for handle in self._handles:
                handle.remove()
            self._handles.clear()

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
        grads = [_GRAD(self._parameters[place]) for place in there]
        if self._plain and not any(map(_IS_SPARSE, grads)):
            here, found = grads, plain_norms(grads)
        else:
            with torch.no_grad():
                here = [local(grad) for grad in grads]
                found = numbers(norms(here))
        at = np.array(there)
        self.norm[at] = found / scale
        self.nonfinite[at] = 0.0
        if self.whole:
            self.abs_sum[at] = numbers([magnitude(each) for each in here]) / scale
        self.square = float(found.dot(found))
        if not math.isfinite(self.square):
            self.all_finite = False
            for i in np.flatnonzero(~np.isfinite(found)):
                self.nonfinite[there[i]] = int((~torch.isfinite(entries(here[i]))).sum())
        known, now = self._read, list(map(_VERSION, grads))
        anew = bool(known) and any(
            self._is_anew(known[place], grad, version)
            for place, grad, version in zip(there, grads, now, strict=True)
            if place in known
        )
        known.update(zip(there, map(Read, grads, now), strict=True))
        return anew

    def clipped(self, places: Sequence[int]) -> float | None:
        """Return by what these gradients were multiplied since they were read; None if by nothing.

        Afterwards it is forgotten what they were.
        """
        read = {place: self._read.pop(place) for place in places if place in self._read}
        # A sharded tensor keeps its version when it is clipped.
        sharded = not self._plain and any(hasattr(each.grad, "to_local") for each in read.values())
        if not sharded and all(each.grad._version == each.version for each in read.values()):
            return None
        with torch.no_grad():
            now = numbers(norms([local(each.grad) for each in read.values()]))
        before = self.norm[list(read)]
        before, after = math.sqrt(before.dot(before)), math.sqrt(now.dot(now))
        return after / before if before > 0 else None

    def _is_anew(self, before: Read, grad: Tensor, version: int) -> bool:
        """Tell whether a gradient was set to None or to zero since it was read.

        Then it is another tensor, or has been changed more than the once that adding to it takes.
        A sparse gradient is another tensor each time, so of it nothing can be told.
        """
        if grad.is_sparse:
            return False
        return grad is not before.grad or (self._plain and version != before.version + 1)

    def _arrived(self, parameter: nn.Parameter) -> None:
        # One for each weight in the midst of the backward pass: short, and nothing in it can fail.
        self._arrivals[parameter] = None
        if self._task != torch._C._current_graph_task_id():
            self._guard.run(self.queue)

    def _ask(self, rounds: int) -> None:
        engine: Any = torch.autograd.Variable._execution_engine  # pyright: ignore
        if rounds:
            engine.queue_callback(partial(self._guard.run, self._ask, rounds - 1))
        else:
            self._over()

    def _over(self) -> None:
        # A hook of the user's that steps the optimizer at once may have cleared a gradient.
        there = [each for each in self._arrivals if each.grad is not None]
        self.reached = [self._place[id(each)] for each in there]
        self._guard.seconds += len(self._arrivals) * DISPATCH_SECONDS
        self._arrivals.clear()
        if self.reached and self._rounds > 1:
            # Other processes may have reached what this one did not.
            self.reached = [i for i, each in enumerate(self._parameters) if each.grad is not None]
        self._task = -1
        self._ended()


def local(tensor: Tensor) -> Tensor:
    """Return the share of a sharded tensor that lies here; any other as it is."""
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor  # pyright: ignore
