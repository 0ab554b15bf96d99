"""How long a step takes, and how much of that is ours.

A step's time runs from the model's first forward pass in training to the end of the update: what
else happens in a loop (loading, evaluation, another model's turn) is no reason to measure more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, NamedTuple

from undertow.watching.core.guard import Guard


class Took(NamedTuple):
    """Seconds of a step, and those of them that were spent measuring."""

    seconds: float
    own: float


class Clock:
    """Times the steps of a model; without a forward pass in sight, from the end of the one before.

    `guard` counts the seconds spent measuring. `hook` puts on hooks that call what it is given when
    a forward pass of the training begins, and returns what can `remove` them.
    """

    def __init__(
        self, guard: Guard, hook: Callable[[Callable[[], None]], Sequence[Any]] = lambda _: ()
    ) -> None:
        self._guard, self._hook = guard, hook
        self._ended, self._counted = perf_counter(), 0.0
        self._begun: float | None = None
        self._handles: Sequence[Any] = ()

    def attach(self) -> None:
        """Time the steps to come."""
        if not self._handles:
            self._handles = self._hook(self._begins)
            self._begun = None

    def detach(self) -> None:
        """Take the hooks off."""
        for handle in self._handles:
            handle.remove()
        self._handles = ()

    def end_step(self, begun: float, elsewhere: float) -> Took:
        """End a step, in a hook that began at `begun`; `elsewhere` are our seconds in threads."""
        now = perf_counter()
        counted = self._guard.seconds + elsewhere + now - begun
        since = self._ended if self._begun is None else self._begun
        found = Took(now - since, counted - self._counted)
        self._ended, self._counted, self._begun = now, counted, None
        return found

    def between(self, elsewhere: float) -> float:
        """Begin to time after steps that were not timed; return our seconds in them."""
        counted = self._guard.seconds + elsewhere
        found, self._counted = counted - self._counted, counted
        self._ended, self._begun = perf_counter(), None
        return found

    def _begins(self) -> None:
        if self._begun is None:
            self._begun = perf_counter()
