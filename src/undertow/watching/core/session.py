"""A training being watched: counts steps, decides which are recorded, and hands on what was read.

No framework is named here. What belongs to one is a `Meter`, which reads a step, and the few lines
that tell the session when a step ends.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from undertow.errors import SpecError
from undertow.trace.record import Event, Header, Trace
from undertow.trace.sink import Keeper, Sink
from undertow.watching.core.clock import Clock
from undertow.watching.core.guard import Guard
from undertow.watching.core.header import header
from undertow.watching.core.logged_values import LoggedValues
from undertow.watching.core.meter import Meter
from undertow.watching.core.recorder import Recorder
from undertow.watching.core.rows import StepRow
from undertow.watching.core.schedule import TIMED, Schedule
from undertow.watching.core.step_choice import StepChoice
from undertow.watching.core.unseen import Unseen


class Session:
    """The steps of one run; a watcher calls `close_step` when one ends, and `close` at the end.

    A recorded step's row is handed on when the next step ends, for its loss may be logged until
    then.

    Parameters
    ----------
    meter : Meter
        Reads the steps that are recorded.
    schedule : Schedule
        Decides which those are.
    keeper, sinks : Keeper and Sinks
        Where the run goes: memory or a store, and others beside it.
    guard, clock, logged : Guard, Clock, LoggedValues, optional
        Count the seconds spent measuring; time the steps; take what the user logs.
    whole : bool
        Record weights and updates too, not gradients alone.
    is_plain : bool
        A step ends with each call of `close_step` and nothing has to be asked in between, so that
        `quiet` may tell how many of the next steps need only be counted.
    """

    def __init__(
        self,
        meter: Meter,
        schedule: Schedule,
        keeper: Keeper,
        sinks: Sequence[Sink] = (),
        *,
        guard: Guard | None = None,
        clock: Clock | None = None,
        logged: LoggedValues | None = None,
        whole: bool = True,
        is_plain: bool = True,
    ) -> None:
        self.step = 1  # the one being made
        self.quiet = 0  # steps that may pass before there is anything to do
        self.recording = self.closed = False
        self.row: StepRow | None = None  # of the last step, if it was recorded
        self._unseen = Unseen()
        self.schedule = schedule
        self.choice = StepChoice(schedule, whole=whole, is_shared=meter.is_shared)
        self._meter, self._is_plain = meter, is_plain
        self._guard, self._logged = guard or Guard(), logged or LoggedValues()
        self._clock = clock or Clock(self._guard)
        self._timed = 0  # until which step they are timed
        self.recorder = Recorder(self._header(), keeper, sinks, dtype=meter.dtype)
        self.open_step()

    def log(self, values: dict[str, Any]) -> None:
        """Take what the user logs of a step, before or after its end."""
        if self.closed or self._guard.failure:
            return
        self._logged.remember(self.step, values.get("loss"))
        if self.quiet and self._logged.is_finite(values):
            return
        begun = perf_counter()
        if self.recording or self.row or self.step + 1 >= self.choice.due:
            passed = self._meter.passes > 0 if self.recording else None
            known, of_last = self._logged.log(values, passed=passed)
        else:
            known, of_last = self._logged.check(values)
            self.quiet = 0
        if not math.isfinite(known):
            self.choice.logged_nonfinite(self.step - of_last)
            if self.choice.forced and of_last and not self.recording:  # the step has just begun
                self.open_step()
        self._guard.seconds += perf_counter() - begun

    def note(self, kind: str, detail: str, step: int | None = None) -> None:
        """Note what happened at a step, by default at the one being made."""
        self.recorder.note(Event(kind, self.step if step is None else step, None, 0, detail))

    def open_step(self) -> None:
        """Have the step being made read, if it is to be recorded."""
        self.recording = self.choice.wants(self.step)
        if not self.recording:
            self._meter.detach()
            return
        if self.schedule.steps < self.step - 1:  # some were not timed
            self.schedule.passed(self.step - 1, self._clock.between(self.recorder.seconds))
        self._clock.attach()
        self._meter.begin_step(self.choice.look())

    def close_step(self, *, skipped: bool = False) -> None:
        """End the step; `skipped` where its update was left out."""
        was_recorded = self.recording
        is_timed = was_recorded or self.row or self.step <= self._timed
        if is_timed:
            self._close_timed_step(skipped=skipped)
        self.step += 1
        opens = self.choice.wants(self.step)
        if is_timed or opens:
            self._logged.close()
        if opens or was_recorded:
            self.open_step()
        if self._is_plain and not (opens or self.row) and self.step > self._timed:
            self.quiet = max(self.choice.due - self.step - 1, 0)

    def trace(self) -> Trace:
        """Return what is recorded so far.

        Raises
        ------
        SpecError
            No step was recorded; the message says why.
        """
        if self.is_empty:
            raise SpecError("no step is recorded")
        if not self.closed:
            self.schedule.passed(self.step - 1)
            self.recorder.header = self._header()
        return self.recorder.trace([self._with_log(self.row)] if self.row else [])

    @property
    def is_empty(self) -> bool:
        """Tell whether no step was recorded."""
        return not self.recorder.count and not self.row

    @property
    def unseen(self) -> Mapping[str, str]:
        """Return the layers that could not be seen whole so far, and why."""
        return self._unseen.reasons

    def close(self, error: type[BaseException] | None = None) -> None:
        """End the run, as interrupted by an `error`."""
        if self.closed:
            return
        self.closed = True
        self._meter.detach()
        self._clock.detach()
        self.schedule.passed(self.step - 1, self._clock.between(self.recorder.seconds))
        if self.row:
            self.recorder.put(self._with_log(self.row))
            self.row = None
        self._unseen.say()
        for event in self.choice.last_words():
            self.recorder.note(event)
        if error is not None:
            self.note("interrupted", f"by {error.__name__}", self.step - 1)
        self.recorder.finish("finished" if error is None else "interrupted", self._header())

    def _close_timed_step(self, *, skipped: bool) -> None:
        begun, step = perf_counter(), self.step
        # A step that was opened when its backward pass was over has seen nothing: the next will.
        sees = self.recording and (self._meter.passes or not self.choice.forced)
        row = self._read(skipped=skipped) if sees else None
        if self.row:
            self.recorder.put(self._with_log(self.row))
        self.row = row
        took = self._clock.end_step(begun, self.recorder.seconds)
        size = self.recorder.size  # this row's when it is put, a step later
        self.schedule.took(step, *took, recorded=row is not None, size=size)
        if row:
            row.values["overhead"] = took.own / max(took.seconds - took.own, 1e-9)
            self.choice.recorded(step)
            self._timed = step + TIMED
        elif step == self._timed:
            self._clock.detach()

    @np.errstate(all="ignore")  # NaN and Inf are what we look for
    def _read(self, *, skipped: bool) -> StepRow:
        meter, choice, step = self._meter, self.choice, self.step
        together = meter.is_shared and not skipped
        mine = self.schedule.next(step, last=step) if together else None
        values, due = meter.values(step, mine)
        if due is not None:
            choice.due = due
        if choice.is_first:
            choice.is_first = False
            self.recorder.relabel(self._header())
        origin, norm = meter.origin(self._logged.loss()), meter.total_norm()
        for event in choice.judge(step, origin, norm, scaled=meter.is_scaled):
            self.recorder.note(event)
        if self._unseen.is_open and choice.is_full:
            self._unseen.look(step, meter.unseen(), meter.count)
        return StepRow(step, self._logged.epoch, values)

    def _with_log(self, row: StepRow) -> StepRow:
        row.values.update(self._logged.of_last())
        return row

    def _header(self) -> Header:
        return header(self._meter, self.schedule, self.unseen, self._logged.recent())
