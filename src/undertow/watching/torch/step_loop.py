"""The watch itself: counts steps, decides which are recorded, and hands on what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import nn, optim

from undertow.errors import SpecError
from undertow.trace.record import Event, Trace
from undertow.watching.core import words
from undertow.watching.core.alarms import Alarms
from undertow.watching.core.log import LOG
from undertow.watching.core.recorder import Recorder, StepRow
from undertow.watching.core.schedule import TIMED, Schedule
from undertow.watching.torch import watched_optimizers
from undertow.watching.torch.clock import Clock
from undertow.watching.torch.distributed import is_first
from undertow.watching.torch.distributed_sync import DistributedSync
from undertow.watching.torch.grad_scaler import LossScale
from undertow.watching.torch.header import header, stem
from undertow.watching.torch.hooks import DISPATCH_SECONDS, Guard, Hook
from undertow.watching.torch.logged_values import LoggedValues
from undertow.watching.torch.meter import NOBODY, TorchMeter
from undertow.watching.torch.units import is_rare


class Watch:
    """A model being watched; made by `undertow.watch`, to be used in a `with`.

    A recorded step's row is handed on when the next step ends, for its loss may be logged until
    then.
    """

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
    ) -> None:
        self._guard, self._scale, self._alarms = Guard(), LossScale(scaler), Alarms()
        self._model, self._optimizers, self._schedule = model, optimizers, schedule
        self._whole = whole
        self._meter = TorchMeter(
            model,
            optimizers,
            self._guard,
            whole=whole,
            scale=self._scale.now,
            began=self._pass_ended,
        )
        watched_optimizers.check(model, optimizers, self._meter.owner)
        self._logged = LoggedValues()
        shares = self._meter.shares
        self._shared = shares is not None
        self._unseen: dict[str, str] | None = None
        self._step, self._due = 1, 1  # the step being made, and the next one to record
        self._force = False  # to record the next step whatever is due, whole
        self._quiet = 0  # steps that may pass before there is anything to do
        self._stepped: set[int] = set()
        self._row: StepRow | None = None
        self._closed = False
        self._lockstep = DistributedSync(self._meter, self._guard)
        self._recorder = Recorder(
            self._header(),
            store if is_first(shares) else None,
            name or stem(model),
            new=name is not None,
            dtype=self._meter.dtype,
        )
        self._handles: list[Any] = []  # for all steps; the others' are on in recorded ones only
        self._pre_handles: list[Any] = []
        for number, optimizer in enumerate(optimizers):
            after = partial(self._after_step, number)
            self._handles.append(optimizer.register_step_post_hook(after))
            if self._shared:  # also when measuring has stopped here: the others wait
                last = partial(self._stay_in_step, number)
                self._handles.append(optimizer.register_step_post_hook(last))
        watched_optimizers.claim(optimizers)
        self._clock = Clock(model, self._guard)
        self._timed = 0  # until which step they are timed
        self._open_step()

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
        return self._recorder.bytes

    def log(self, **values: Any) -> None:
        """Log the loss of a step, and if you like `accuracy` and `epoch`: numbers or tensors.

        Before or after the optimizer's step.
        """
        if self._closed or self._guard.failure:
            return
        self._logged.remember(self._step, values.get("loss"))
        if self._quiet and self._logged.is_finite(values):
            return
        begun = perf_counter()
        if self._recording or self._row or self._step + 1 >= self._due:
            passed = self._meter.passes > 0 if self._recording else None
            known, of_last = self._logged.log(values, passed=passed)
        else:
            known, of_last = self._logged.check(values)
            self._quiet = 0
        if not math.isfinite(known) and not self._shared:
            self._force = self._alarms.logged(self._step - of_last) or self._force
            if self._force and of_last and not self._recording:  # the step has only just begun
                self._open_step()
        self._guard.seconds += perf_counter() - begun

    def step(self, loss: Any = None) -> None:
        """End a step, after its backward pass; only for a loop without an optimizer to watch."""
        if self._optimizers:
            raise SpecError(words.COUNTS_ITSELF)
        if loss is not None:
            self.log(loss=loss)
        if not self._closed:
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
        if not self._recorder.count and not self._row:
            raise SpecError(f"no step is recorded: {self._why_empty()}")
        if not self._closed:
            self._schedule.passed(self._step - 1)
            self._recorder.header = self._header()
        return self._recorder.trace([self._with_log(self._row)] if self._row else [])

    def summary(self) -> str:
        """Say in a few lines what was recorded, at what cost, and what could not be seen.

        The cost is what measuring took as a share of what training takes without it.
        """
        self._schedule.passed(self._step - 1)
        empty = not self._recorder.count and not self._row
        return words.summary(
            type(self._model).__name__,
            self._schedule,
            self._recorder,
            unseen=self._unseen or {},
            count=len(self._meter.modules),
            trouble=self._why_empty() if empty or self._guard.failure else None,
        )

    # What the hooks do.

    def _before_update(self, number: int, *_: Any) -> None:
        if number in self._stepped:  # the others sit this step out
            self._close_step()
        if not self._recording:
            return
        factor = self._meter.before_update(number)
        if factor is not None and factor < 1 - 1e-6:
            self._note("clipped", f"their norm was multiplied by {factor:.4g}")

    def _after_step(self, number: int, *_: Any) -> None:
        # The one hook of a step that is not recorded: short, and nothing in it can fail.
        if self._quiet and not torch.compiler.is_compiling():
            self._quiet -= 1
            self._step += 1
            self._guard.seconds += DISPATCH_SECONDS
        else:
            self._guard.run(self._after_update, number)

    def _after_update(self, number: int) -> None:
        if number in self._stepped:
            self._close_step()
        if self._scale.used and not self._recording:
            self._count_skipped()
        self._meter.updated(number)
        self._stepped.add(number)
        if len(self._stepped) == len(self._optimizers):
            self._close_step()

    def _stay_in_step(self, number: int, *_: Any) -> None:
        """After an error, go on counting steps until the others' next sum."""
        if not self._guard.failure or self._lockstep.told:
            return
        self._stepped.add(number)
        if len(self._stepped) == len(self._optimizers):
            self._stepped.clear()
            self._lockstep.end_step(self._step, self._due)
            self._step += 1

    @np.errstate(all="ignore")
    def _step_alone(self) -> None:
        if self._row:  # the change since the last call is that step's
            self._row.values.update(self._meter.changes())
        if self._recording:
            self._meter.before_update(NOBODY)
        self._close_step()

    def _pass_ended(self, *, again: bool) -> bool:
        """Look, at the end of a backward pass, whether a step has ended before it."""
        if again:  # for an optimizer that has stepped: the others sit that step out
            self._close_step()
        if self._scale.skipped():
            if self._meter.passes and not self._stepped:
                self._note("skipped", words.SKIPPED)
                self._alarm(severe=False)
                self._close_step(skipped=True)
            else:  # an optimizer that is told of the scale was asked, and did nothing
                self._note("skipped", words.SKIPPED, self._step - 1)
        return self._recording

    def _count_skipped(self) -> None:
        """Count the updates left out while no step was recorded: no hook has seen them."""
        for _ in range(self._scale.skipped()):
            self._note("skipped", words.SKIPPED)
            self._alarm(severe=False)
            self._step += 1

    # Steps.

    def _open_step(self) -> None:
        self._recording = self._force or self._step >= self._due
        if not self._recording:
            self._meter.detach()
            for handle in self._pre_handles:
                handle.remove()
            self._pre_handles.clear()
            return
        if self._schedule.steps < self._step - 1:  # some were not timed
            self._schedule.passed(self._step - 1, self._clock.between(self._recorder.seconds))
        self._clock.attach()
        if not self._pre_handles:
            self._pre_handles = [
                optimizer.register_step_pre_hook(
                    Hook(self._guard, partial(self._before_update, number))
                )
                for number, optimizer in enumerate(self._optimizers)
            ]
        # The first recorded step shows in which order the layers are called.
        self._full = self._whole or self._force or not self._meter.rows
        self._meter.begin_step()
        self._meter.attach(
            calls=self._full,
            whole=self._whole or self._force,
            rare=is_rare(self._schedule.recorded + 1),
        )

    def _close_step(self, *, skipped: bool = False) -> None:
        was_recorded = self._recording
        is_timed = was_recorded or self._row or self._step <= self._timed
        if is_timed:
            self._close_timed_step(skipped=skipped)
        self._stepped.clear()
        self._step += 1
        opens = self._force or self._step >= self._due
        if is_timed or opens:
            self._logged.close()
        if opens or was_recorded:
            self._open_step()
        alone = len(self._optimizers) == 1 and not self._scale.used
        if alone and not (opens or self._row) and self._step > self._timed:
            self._quiet = max(self._due - self._step - 1, 0)

    def _close_timed_step(self, *, skipped: bool) -> None:
        begun, step = perf_counter(), self._step
        # A step that was opened when its backward pass was over has seen nothing: the next will.
        sees = self._recording and (self._meter.passes or not self._force)
        row = self._measured(skipped=skipped) if sees else None
        if self._row:
            self._recorder.put(self._with_log(self._row))
        self._row = row
        took = self._clock.end_step(begun, self._recorder.seconds)
        size = self._recorder.bytes  # this row's when it is put, a step later
        self._schedule.took(step, *took, recorded=row is not None, size=size)
        if row:
            row.values["overhead"] = took.own / max(took.seconds - took.own, 1e-9)
            if not self._shared:
                self._due = self._schedule.next(step)
            self._timed = step + TIMED
        elif step == self._timed:
            self._clock.detach()

    @np.errstate(all="ignore")  # NaN and Inf are what we look for
    def _measured(self, *, skipped: bool) -> StepRow:
        meter, step = self._meter, self._step
        self._force = False
        if not meter.rows:
            meter.learn_layers()
            self._recorder.relabel(self._header())
        if self._optimizers:
            meter.update()
        if self._shared and not skipped:
            mine = self._schedule.next(step, last=step)
            values, self._due = self._lockstep.values(step, mine)
        else:
            values = meter.values()
        if self._optimizers:
            rate = self._optimizers[0].param_groups[0]["lr"]
            values["learning_rate"] = np.float64(rate)
        self._look(step)
        if self._unseen is None:
            self._unseen = meter.unseen()
            if self._unseen:
                LOG.warning(words.unseen_line(self._unseen, len(meter.modules)))
        return StepRow(step, self._logged.epoch, values)

    def _look(self, step: int) -> None:
        look = self._alarms.look(
            step,
            self._meter.origin(self._logged.loss()),
            self._meter.total_norm(),
            full=self._full,
            scaled=self._scale.used,
        )
        for event in look.events:
            self._recorder.note(event)
        self._force = look.full and not self._shared
        if look.dense:
            self._alarm(severe=look.severe)

    def _alarm(self, *, severe: bool) -> None:
        self._schedule.alarm(self._step, severe=severe)
        if not self._shared:
            self._due = min(self._due, self._schedule.next(self._step))

    def _end(self, error: type[BaseException] | None) -> None:
        if self._closed:
            return
        self._closed = True
        self._meter.detach()
        self._clock.detach()
        for handle in (*self._handles, *self._pre_handles):
            handle.remove()
        self._schedule.passed(self._step - 1, self._clock.between(self._recorder.seconds))
        watched_optimizers.release(self._optimizers)
        if self._row:
            if not self._optimizers:
                self._row.values.update(self._meter.changes())
            self._recorder.put(self._with_log(self._row))
            self._row = None
        for event in self._alarms.last_words():
            self._recorder.note(event)
        if error is not None:
            self._note("interrupted", f"by {error.__name__}", self._step - 1)
        elif self._step == 1:
            LOG.warning("undertow: nothing was watched: %s", self._why_empty())
        self._recorder.finish("finished" if error is None else "interrupted", self._header())

    def _note(self, kind: str, detail: str, step: int | None = None) -> None:
        self._recorder.note(Event(kind, self._step if step is None else step, None, 0, detail))

    def _with_log(self, row: StepRow) -> StepRow:
        row.values.update(self._logged.of_last())
        return row

    def _header(self) -> Any:
        return header(
            self._meter,
            self._optimizers,
            self._schedule,
            self._scale,
            self._unseen,
            self._logged.recent(),
        )

    def _why_empty(self) -> str:
        return words.why_empty(self.failure, has_optimizer=bool(self._optimizers))
