"""Measuring that never ends a training: timed, and after one error over."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from undertow.watching.core.log import LOG

LONGEST = 120  # characters of an error that are told


class Guard:
    """Runs what measures: counts its seconds, and takes its errors on itself.

    After an error it runs nothing more, and says so once: training goes on unwatched.

    >>> guard = Guard()
    >>> guard.run(pow, 2, 3)
    8
    >>> guard.run(pow, 2, None), guard.run(pow, 2, 3)
    (None, None)
    >>> guard.failure[:9]
    'TypeError'

    `is_silent` tells when nothing may be measured, and `dispatch` is the time, in seconds, that a
    framework takes to call a hook, beside what the hook does.
    """

    def __init__(
        self, is_silent: Callable[[], bool] = lambda: False, dispatch: float = 0.0
    ) -> None:
        self.seconds = 0.0
        self.failure: str | None = None
        self.dispatch, self._is_silent = dispatch, is_silent

    def run(self, function: Callable[..., Any], *values: Any) -> Any:
        """Call a function for a hook; after an error once, never again."""
        if self.failure or self._is_silent():
            return None
        begun = perf_counter()
        try:
            return function(*values)
        except Exception as error:
            self.fail(error)
        finally:
            self.seconds += perf_counter() - begun + self.dispatch
        return None

    def fail(self, error: Exception) -> None:
        """Stop measuring for good."""
        words = str(error).splitlines()
        said = words[0] if words else ""
        self.failure = f"{type(error).__name__}: {said[:LONGEST]}".rstrip(": ")
        LOG.warning("undertow: measuring has stopped, training goes on (%s)", self.failure)
