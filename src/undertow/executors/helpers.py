"""Processes that train beside the caller's: what they are given, what they send, how they end.

They are started afresh rather than forked, because PyTorch's threads do not survive a fork.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import queue
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from undertow.data.dataset import Data
from undertow.engine.common.threads import compute_on
from undertow.errors import UndertowError
from undertow.executors.jobs import Finished, Job, Result
from undertow.executors.train_job import train_job

FULL_SECONDS = 1.0  # after which a helper that cannot send looks whether its caller lives
SEND_SECONDS = 0.25  # a message costs by its number of arrays; chunks travel together


class Helpers:
    """So many processes, and one queue of jobs for them and the caller."""

    def __init__(self, jobs: Sequence[Job], data: Data, count: int, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._jobs, self._owed = jobs, len(jobs)
        self._waiting, self._results = context.Queue(), context.Queue(maxsize=100)
        for number in (*range(len(jobs)), *[None] * (count + 1)):
            self._waiting.put(number)
        arguments = (list(jobs), data, self._waiting, self._results, threads, os.getpid())
        self._processes = [
            context.Process(target=_work, args=arguments, daemon=True) for _ in range(count)
        ]

    def start(self) -> None:
        for process in self._processes:
            process.start()

    def stop(self) -> None:
        """End all, whatever they are at."""
        begun = [process for process in self._processes if process.pid is not None]
        for process in begun:
            process.terminate()
        for process in begun:
            process.join()

    @property
    def owe(self) -> bool:
        """Tell whether a job that a helper took has not ended yet."""
        return self._owed > 0

    def left_to_the_caller(self) -> Iterator[Job]:
        """Take a job after the other from the queue, as the helpers do."""
        for number in iter(self._waiting.get, None):
            self._owed -= 1
            yield self._jobs[number]

    def arrived(self, wait: float = 0) -> Iterator[tuple[Job, Result]]:
        """Yield what the helpers sent; wait so long for the first.

        Raises
        ------
        UndertowError
            A helper was killed, or all ended and owe results still.
        """
        ended = all(process.exitcode is not None for process in self._processes)
        for number, results in received(self._results, wait):
            for result in results:
                self._owed -= isinstance(result, Finished)
                yield self._jobs[number], result
        dead = [process.exitcode for process in self._processes if process.exitcode]
        if dead:
            raise UndertowError(
                f"a training process ended with status {dead[0]}, perhaps for want of memory: "
                "what is done is kept; try fewer --replicates, or --workers 1"
            )
        if wait and ended and self.owe:
            raise UndertowError(
                "a training process ended without its results: what is done is kept; type the "
                "same command again, with --workers 1"
            )


@contextmanager
def helpers_beside(jobs: Sequence[Job], data: Data, count: int, threads: int) -> Iterator[Helpers]:
    """Have helpers as long as the block lasts."""
    helpers = Helpers(jobs, data, count, threads)
    try:
        helpers.start()
        yield helpers
    finally:
        helpers.stop()


def received(results: Any, wait: float) -> Iterator[tuple[int, list[Result]]]:
    """Yield what lies in the queue, each with its job's number; wait so long for the first."""
    while True:
        try:
            number, found, error = results.get(block=wait > 0, timeout=wait)
        except queue.Empty:
            return
        if error is not None:
            raise error
        yield number, found
        wait = 0


def _work(
    jobs: list[Job], data: Data, waiting: Any, results: Any, threads: int, parent: int
) -> None:
    """Train one job after the other, in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and ends its helpers
    compute_on(threads)
    for number in iter(waiting.get, None):
        try:
            for found in _together(train_job(jobs[number], data)):
                _send((number, found, None), results, parent)
        except Exception as error:
            _send((number, [], as_sendable(error)), results, parent)


def _together(results: Iterable[Result]) -> Iterator[list[Result]]:
    """Yield what comes within some time as one list, and the last at once."""
    collected: list[Result] = []
    sent = time.monotonic()
    for result in results:
        collected.append(result)
        if time.monotonic() - sent > SEND_SECONDS:
            yield collected
            collected, sent = [], time.monotonic()
    if collected:
        yield collected


def _send(message: tuple[int, list[Result], Exception | None], results: Any, parent: int) -> None:
    while True:
        if os.getppid() != parent:  # killed: nobody is left to train for
            os._exit(1)
        try:
            return results.put(message, timeout=FULL_SECONDS)
        except queue.Full:
            continue


def as_sendable(error: Exception) -> Exception:
    """Return the error itself, or its words where it cannot travel between processes."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        words = str(error)
        return UndertowError(
            words if isinstance(error, UndertowError) else f"{type(error).__name__}: {words}"
        )
    return error
