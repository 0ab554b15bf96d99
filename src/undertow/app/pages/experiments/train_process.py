"""`undertow run` as a process of its own: training outlives the page, and ends with the server."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections import deque

from undertow.app.pages.experiments.url import StudyRequest, command
from undertow.app.pages.kit.request import PageContext

PROGRAM = (sys.executable, "-m", "undertow.app.cli.main")
LAST_LINES = 5  # of what it says, kept
PATIENCE = 10.0  # seconds for what is done to be kept
STOPPED = (128 + signal.SIGTERM, -signal.SIGTERM)  # the second if it had not yet begun


class Training:
    """One process, and what it said last."""

    def __init__(self, request: StudyRequest, context: PageContext) -> None:
        self.request = request
        self.said: deque[str] = deque(maxlen=LAST_LINES)
        self._process = subprocess.Popen(
            [*PROGRAM, *command(request, context)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def status(self) -> int | None:
        """The exit status; None while it trains."""
        return self._process.poll()

    def stop(self) -> None:
        """Ask it to end as at Ctrl-C: what is done is kept.

        By SIGTERM, for what a shell has put into the background does not hear SIGINT.
        """
        if self.status is None:
            self._process.terminate()

    def wait(self) -> None:
        """Wait until it has ended and all that it said is heard."""
        self._process.wait()
        self._listener.join()

    def end(self) -> None:
        """Wait for its end a while, then end it by force."""
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self.wait()

    def _listen(self) -> None:
        assert self._process.stderr
        with self._process.stderr as lines:
            for line in lines:
                if line.strip():
                    self.said.append(line.strip().removeprefix("undertow: "))


_UNDER_WAY: dict[tuple[PageContext, str], Training] = {}
_LOCK = threading.Lock()


def begin(request: StudyRequest, context: PageContext) -> Training:
    """Train a study, unless it is being trained from here already."""
    with _LOCK:
        known = _UNDER_WAY.get((context, request.study))
        if known is None or known.status is not None:
            known = _UNDER_WAY[context, request.study] = Training(request, context)
        return known


def last(study: str, context: PageContext) -> Training | None:
    """Return the training of a study that was begun here last."""
    return _UNDER_WAY.get((context, study))


def stop_all() -> None:
    """End every training; what is done is kept."""
    with _LOCK:
        for training in _UNDER_WAY.values():
            training.stop()
        for training in _UNDER_WAY.values():
            training.end()
