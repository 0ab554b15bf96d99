"""The watch itself: the hooks that tell a session when a step of a PyTorch loop ends."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import nn, optim

from undertow.errors import SpecError
from undertow.trace.record import Trace
from undertow.trace.sink import Sink
from undertow.trace.sinks.memory import Memory
from undertow.trace.sinks.store import StoreFile
from undertow.watching.core import words
from undertow.watching.core.clock import Clock
from undertow.watching.core.header import stem
from undertow.watching.core.log import LOG
from undertow.watching.core.logged_values import LoggedValues
from undertow.watching.core.schedule import Schedule
from undertow.watching.core.session import Session
from undertow.watching.torch import watched_optimizers
from undertow.watching.torch.distributed import is_first
from undertow.watching.torch.grad_scaler import LossScale
from undertow.watching.torch.hooks import DISPATCH_SECONDS, guard
from undertow.watching.torch.layer_weights import NOBODY
from undertow.watching.torch.logged_tensors import LoggedTensors
from undertow.watching.torch.meter import TorchMeter
from undertow.watching.torch.optimizer_hooks import OptimizerHooks
from undertow.watching.torch.step_starts import hook_starts


class Watch:
    """A model being watched; made by `undertow.watch`, to be used in a `with`."""

    def __init__(
        self,
        model: nn.Module,
        optimizers: Sequence[optim.Optimizer],
        store: str | Path | None,
        name: str | None,
        schedule: Schedule,
        *,
        whole: bool,
        scaler: Any,
        sinks: Sequence[Sink] = (),
    ) -> None:
        self._guard, self._scale, self._tensors = guard(), LossScale(scaler), LoggedTensors()
        self._model, self._optimizers = model, optimizers
        self._stepped: set[int] = set()  # optimizers, in this step
        self._hooks = OptimizerHooks(optimizers, self._guard, self._before_update)
        given = (model, optimizers, self._guard, self._scale, self._hooks)
        self._meter = TorchMeter(*given, whole=whole, began=self._pass_ended)
        watched_optimizers.check(model, optimizers)
        new, name = name is not None, name or stem(type(model).__name__)
        to_store = store is not None and is_first(self._meter.shares)
        self._session = Session(
            self._meter,
            schedule,
            StoreFile(store, name, new=new) if store is not None and to_store else Memory(),
            sinks if is_first(self._meter.shares) else (),
            guard=self._guard,
            clock=Clock(self._guard, partial(hook_starts, model, self._guard)),
            logged=LoggedValues(self._tensors),
            whole=whole,
            is_plain=len(optimizers) == 1 and not self._scale.used,
        )
        self._hooks.call_after(self._after_step)
        if self._meter.is_shared:  # also when measuring has stopped here: the others wait
            self._hooks.call_after(self._stay_in_step)
        watched_optimizers.claim(optimizers)

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._end(kind)

    @property
    def failure(self) -> str | None:
        """Why measuring has stopped; None while it goes on."""
        return self._guard.failure

    @property
    def size(self) -> int:
        """How many bytes the run takes so far, in memory or in the store."""
        return self._session.recorder.size

    def log(self, **values: Any) -> None:
        """Log a step's loss, and if you like `accuracy` and `epoch`, before or after its update."""
        self._session.log(values)

    def step(self, loss: Any = None) -> None:
        """End a step, after its backward pass; only for a loop without an optimizer to watch."""
        if self._optimizers:
            raise SpecError(words.COUNTS_ITSELF)
        if loss is not None:
            self.log(loss=loss)
        if not self._session.closed:
            self._guard.run(self._step_alone)

    def close(self) -> None:
        """Take every hook off and finish the run; leaving the `with` does the same."""
        self._end(None)

    def trace(self) -> Trace:
        """Return what is recorded so far.

        Raises
        ------
        SpecError
            No step was recorded; the message says why.
        """
        if self._session.is_empty:
            raise SpecError(f"no step is recorded: {self._why_empty()}")
        return self._session.trace()

    def summary(self) -> str:
        """Say in a few lines what was recorded, at what cost, and what could not be seen.

        The cost is what measuring took as a share of what training takes without it.
        """
        session = self._session
        session.schedule.passed(session.step - 1)
        return words.summary(
            type(self._model).__name__,
            session.schedule,
            session.recorder,
            unseen=session.unseen,
            count=self._meter.count,
            trouble=self._why_empty() if session.is_empty or self.failure else None,
        )

    # What the hooks do.

    def _before_update(self, number: int, *_: Any) -> None:
        if number in self._stepped:  # the others sit this step out
            self._close_step()
        if not self._session.recording:
            return
        self._note_clipping(self._meter.before_update(number))

    def _note_clipping(self, factor: float | None) -> None:
        if factor is not None and factor < 1 - 1e-6:
            self._session.note("clipped", f"their norm was multiplied by {factor:.4g}")

    def _after_step(self, number: int, *_: Any) -> None:
        # The one hook of a step that is not recorded: short, and nothing in it can fail.
        session = self._session
        if session.quiet and not torch.compiler.is_compiling():
            session.quiet -= 1
            session.step += 1
            self._guard.seconds += DISPATCH_SECONDS
        else:
            self._guard.run(self._after_update, number)

    def _after_update(self, number: int) -> None:
        if number in self._stepped:
            self._close_step()
        if self._scale.used and not self._session.recording:
            self._count_skipped()
        self._tensors.mark()
        self._note_clipping(self._meter.after_update(number))
        self._stepped.add(number)
        if len(self._stepped) == len(self._optimizers):
            self._close_step()

    def _stay_in_step(self, number: int, *_: Any) -> None:
        """After an error, go on counting steps until the others' next sum."""
        sync = self._meter.sync
        if not self._guard.failure or not sync or sync.told:
            return
        self._stepped.add(number)
        if len(self._stepped) == len(self._optimizers):
            self._stepped.clear()
            sync.end_step(self._session.step, self._session.choice.due)
            self._session.step += 1

    @np.errstate(all="ignore")
    def _step_alone(self) -> None:
        self._amend()
        if self._session.recording:
            self._meter.before_update(NOBODY)
        self._close_step()

    def _amend(self) -> None:
        """Without an optimizer: the change since the last call is that of the last row's step."""
        if self._session.row and not self._optimizers:
            self._session.row.values.update(self._meter.changes())

    def _pass_ended(self, *, again: bool) -> bool:
        """Look, at the end of a backward pass, whether a step has ended before it."""
        session = self._session
        if again:  # for an optimizer that has stepped: the others sit that step out
            self._close_step()
        if self._scale.skipped():
            if self._meter.passes and not self._stepped:
                self._note_skipped()
                self._close_step(skipped=True)
            else:  # an optimizer that is told of the scale was asked, and did nothing
                session.note("skipped", words.SKIPPED, session.step - 1)
        self._tensors.mark()
        return session.recording

    def _count_skipped(self) -> None:
        """Count the updates left out while no step was recorded: no hook has seen them."""
        for _ in range(self._scale.skipped()):
            self._note_skipped()
            self._session.step += 1

    def _note_skipped(self) -> None:
        self._session.note("skipped", words.SKIPPED)
        self._session.choice.alarm(self._session.step, severe=False)

    def _close_step(self, *, skipped: bool = False) -> None:
        self._session.close_step(skipped=skipped)
        self._stepped.clear()

    def _end(self, error: type[BaseException] | None) -> None:
        if self._session.closed:
            return
        self._hooks.remove()
        watched_optimizers.release(self._optimizers)
        if error is None and self._session.step == 1:
            LOG.warning("undertow: nothing was watched: %s", self._why_empty())
        self._amend()
        self._session.close(error)

    def _why_empty(self) -> str:
        return words.why_empty(self.failure, has_optimizer=bool(self._optimizers))
