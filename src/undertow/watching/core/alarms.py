"""What is not as it should be: the first NaN or Inf and where it arose, and sudden jumps."""

from __future__ import annotations

import math
from typing import NamedTuple

from undertow.trace.record import Event
from undertow.watching.core.origin import IN_LOGGED_LOSS, Origin

JUMP = 10.0  # a gradient norm so many times the last one calls for a closer look


class AlarmResponse(NamedTuple):
    """What is to be done after a step: events to note, and how closely to look at the next ones."""

    events: tuple[Event, ...] = ()
    full: bool = False  # record the next step, whole
    dense: bool = False  # record the next steps one after the other
    severe: bool = False


class Alarms:
    """Remembers what the steps before looked like; says each thing once."""

    def __init__(self) -> None:
        self._said = False
        self._suspect: tuple[int, Origin] | None = None
        self._finite_until = 0
        self._norm = math.nan

    def logged(self, step: int) -> bool:
        """Take a logged NaN or Inf; tell whether the next step is to be recorded whole."""
        if self._said or self._suspect:
            return False
        self._suspect = step, Origin(None, IN_LOGGED_LOSS, True)
        return True

    def look(
        self, step: int, found: Origin | None, norm: float, *, full: bool, scaled: bool
    ) -> AlarmResponse:
        """Judge a recorded step; `scaled` where mixed precision leaves out what overflows."""
        if found and scaled and not found.forward:
            found = None
        elif not found and not self._suspect:
            self._finite_until = step
        jumped = norm > JUMP * self._norm
        self._norm = norm
        if self._said or not (found or self._suspect):
            return AlarmResponse(dense=jumped)
        if not full:  # the deltas were not seen: look at the next step with all there is
            self._suspect = self._suspect or (step, found or Origin(None, "", False))
            return AlarmResponse(full=True)
        seen = self._suspect[0] if self._suspect else step
        origin = found or (self._suspect[1] if self._suspect else None)
        assert origin
        self._said = True
        detail = origin.words
        if step - self._finite_until > 1:
            detail += f"; it arose after step {self._finite_until}, and by step {seen}"
        event = Event("nonfinite", step, origin.layer, 0, detail)
        return AlarmResponse((event,), dense=True, severe=True)

    def last_words(self) -> tuple[Event, ...]:
        """Return what was seen too late to be looked into."""
        if self._said or not self._suspect:
            return ()
        step, origin = self._suspect
        detail = f"{origin.words}; it arose after step {self._finite_until}, and by step {step}"
        return (Event("nonfinite", step, origin.layer, 0, detail),)
