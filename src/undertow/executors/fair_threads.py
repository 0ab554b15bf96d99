"""Threads that take turns: so many run at a time, in the order in which they asked."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType


class TurnsStopped(Exception):
    """What a thread gets when all are to end."""


class FairThreads:
    """Let `at_once` threads run at a time; one that has had its turn waits for the others'.

    >>> turns = FairThreads(1)
    >>> with turns:
    ...     turns.next()  # nobody waits
    """

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: deque[threading.Event] = deque()
        self._stopped = False
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.check()
            if self._free:
                self._free -= 1
                return
            mine = self._queue()
        mine.wait()  # whoever ends a turn gives it to the first in the queue
        self.check()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        with self._lock:
            self._pass_on()

    @property
    def waiting(self) -> int:
        """How many threads wait for their turn."""
        return len(self._waiting)

    def next(self) -> None:
        """End a turn, and wait for another."""
        with self._lock:
            self.check()  # under the lock: who queues after a stop is never called
            if not self._waiting:
                return
            mine = self._queue()
            self._pass_on()
        mine.wait()
        self.check()

    def stop(self) -> None:
        """End every thread that waits, or checks."""
        with self._lock:
            self._stopped = True
            for event in self._waiting:
                event.set()
            self._waiting.clear()

    def check(self) -> None:
        """Raise Stopped where all are to end."""
        if self._stopped:
            raise TurnsStopped

    def _queue(self) -> threading.Event:
        mine = threading.Event()
        self._waiting.append(mine)
        return mine

    def _pass_on(self) -> None:
        if self._waiting:
            self._waiting.popleft().set()
        else:
            self._free += 1
