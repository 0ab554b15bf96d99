"""Which step is recorded next, and how closely it is read: what the schedule says, and an alarm."""

from __future__ import annotations

from undertow.trace.record import Event
from undertow.watching.core.alarms import Alarms
from undertow.watching.core.meter import Look
from undertow.watching.core.origin import Origin
from undertow.watching.core.schedule import Schedule, is_rare


class StepChoice:
    """Chooses the steps that are recorded.

    >>> choice = StepChoice(Schedule(every=50, budget=0.02), whole=True, is_shared=False)
    >>> choice.wants(1), choice.look()
    (True, Look(calls=True, whole=True, rare=True))
    >>> choice.recorded(10)
    >>> choice.due, choice.wants(11)
    (50, False)

    `whole` asks for weights and updates, not gradients alone; `is_shared` is true where several
    processes agree on the next step, so that an alarm of one alone changes nothing.
    """

    def __init__(self, schedule: Schedule, *, whole: bool, is_shared: bool) -> None:
        self.due = 1  # the next step to record
        self.forced = False  # whatever is due, the next step is recorded, whole
        self.is_first = True  # no step was recorded yet
        self._schedule, self._whole, self._is_shared = schedule, whole, is_shared
        self._alarms = Alarms()
        self.is_full = True  # what passes through layers is read too

    def wants(self, step: int) -> bool:
        """Tell whether a step is to be recorded."""
        return self.forced or step >= self.due

    def look(self) -> Look:
        """Say how closely the step that is to be recorded now is read."""
        whole = self._whole or self.forced
        # The first recorded step shows in which order the layers are called.
        self.is_full = whole or self.is_first
        return Look(self.is_full, whole, is_rare(self._schedule.recorded + 1))

    def recorded(self, step: int) -> None:
        """Choose the next step, when one was recorded and its cost is known."""
        if not self._is_shared:
            self.due = self._schedule.next(step)

    def logged_nonfinite(self, step: int) -> None:
        """Take it that what was logged of a step is NaN or Inf."""
        if not self._is_shared:
            self.forced = self._alarms.logged(step) or self.forced

    def judge(
        self, step: int, origin: Origin | None, norm: float, *, scaled: bool
    ) -> tuple[Event, ...]:
        """Judge a recorded step by its gradient's norm and where a NaN or Inf arose in it."""
        found = self._alarms.look(step, origin, norm, full=self.is_full, scaled=scaled)
        self.forced = found.full and not self._is_shared
        if found.dense:
            self.alarm(step, severe=found.severe)
        return found.events

    def alarm(self, step: int, *, severe: bool) -> None:
        """Record the next steps one by one."""
        self._schedule.alarm(step, severe=severe)
        if not self._is_shared:
            self.due = min(self.due, self._schedule.next(step))

    def last_words(self) -> tuple[Event, ...]:
        """Return what was seen too late to be looked into."""
        return self._alarms.last_words()
