"""Shards trained side by side, one process a core; the caller trains, and alone writes the store.

Small networks run on one thread, so a second core helps only as a second process. Processes are
started afresh rather than forked, because PyTorch's threads do not survive a fork; the caller
begins meanwhile.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import queue
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from typing import Any

from undertow.data.dataset import Data
from undertow.engine import choice
from undertow.engine.common.threads import compute_on, torch_threads
from undertow.errors import SpecError, UndertowError
from undertow.executors.jobs import Job, Shard
from undertow.trace.record import Chunk

WORTH_A_PROCESS = 4.0  # seconds of training; below, starting a process takes longer than it saves
POLL_SECONDS = 1.0
SEND_SECONDS = 0.25  # a message costs by its number of arrays; chunks travel together


Receive = Callable[[Job, Chunk | Shard], None]


def check_workers(workers: int | None) -> None:
    """Refuse fewer than one worker; None leaves the number to `train_jobs`.

    >>> check_workers(0)
    Traceback (most recent call last):
    ...
    undertow.errors.SpecError: workers = 0: at least 1, for example --workers 2
    """
    if workers is not None and workers < 1:
        raise SpecError(f"workers = {workers}: at least 1, for example --workers 2")


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def workers_for(tasks: Sequence[Job], data: Data, workers: int | None) -> int:
    """Return how many processes train: by default one a core, and one where the work is short."""
    check_workers(workers)
    if workers is None and all(_in_lanes(task) for task in tasks):
        return 1  # which has a thread a core of its own
    if workers is None:
        workers = cores() if seconds_of(tasks, data) >= WORTH_A_PROCESS else 1
    return max(1, min(workers, len(tasks)))


def seconds_of(tasks: Sequence[Job], data: Data) -> float:
    """Guess how long the training takes on one core: a millisecond of calls a step, and numbers.

    Lanes have no calls to wait for.
    """
    samples, seconds = len(data.train_targets), 0.0
    for task in tasks:
        numbers = len(task.seeds) * task.network.parameters * min(task.training.batch_size, samples)
        a_step = 2.5e-10 * numbers if _in_lanes(task) else 1e-3 + 5e-10 * numbers
        seconds += task.steps(data) * a_step
    return seconds


def _in_lanes(task: Job) -> bool:
    return choice.choose_engine(task.network, len(task.seeds), task.engine) == "lanes"


def train_jobs(
    tasks: Sequence[Job],
    data: Data,
    receive: Receive,
    workers: int | None = None,
    of: Sequence[Job] | None = None,
) -> None:
    """Train shards, and hand over their chunks as they come, then the shard itself.

    `workers` is by default one a core, and one in all where the work is short. With one, all
    happens in this process. Threads are dealt out as if all tasks `of` a study were to be trained:
    products on two threads round otherwise than on one, and what is resumed must not.

    Raises
    ------
    SpecError
        Fewer than one worker.
    UndertowError
        A worker was killed, for example for want of memory.
    """
    whole_workers = workers_for(tasks if of is None else of, data, workers)
    threads = max(1, cores() // whole_workers)
    workers = workers_for(tasks, data, workers)
    if workers <= 1:
        with torch_threads(threads) if whole_workers > 1 else nullcontext():
            for task in tasks:
                _train(task, data, receive)
        return
    context = multiprocessing.get_context("spawn")
    waiting, results = context.Queue(), context.Queue(maxsize=100)
    for number in (*range(len(tasks)), *[None] * workers):
        waiting.put(number)
    arguments = (list(tasks), data, waiting, results, threads, os.getpid())
    helpers = [
        context.Process(target=_work, args=arguments, daemon=True) for _ in range(workers - 1)
    ]
    whole = 0

    def take(task: Job, result: Chunk | Shard) -> None:
        nonlocal whole
        whole += isinstance(result, Shard)
        receive(task, result)

    def take_arrived(*, wait: float) -> None:
        for number, result in receive_results(results, helpers, wait):
            take(tasks[number], result)

    def take_own(task: Job, result: Chunk | Shard) -> None:
        take(task, result)
        take_arrived(wait=0)

    try:
        for helper in helpers:
            helper.start()
        with torch_threads(threads):
            while (number := waiting.get()) is not None:
                _train(tasks[number], data, take_own)
        while whole < len(tasks):
            ended = all(helper.exitcode is not None for helper in helpers)
            take_arrived(wait=POLL_SECONDS)
            if ended and whole < len(tasks):
                raise UndertowError(
                    "a training process ended without its results: what is done is kept; type the "
                    "same command again, with --workers 1"
                )
    except BaseException:
        with suppress(Exception):  # whole shards that wait to be read are not trained again
            take_arrived(wait=0)
        raise
    finally:
        for helper in helpers:
            helper.terminate()
        for helper in helpers:
            helper.join()


def receive_results(
    results: Any, helpers: Sequence[Any], wait: float
) -> Iterator[tuple[int, Chunk | Shard]]:
    """Yield what the helpers sent, each with its task's number; wait so long for the first."""
    while True:
        try:
            number, found = results.get(block=wait > 0, timeout=wait)
        except queue.Empty:
            break
        if isinstance(found, Exception):
            raise found
        yield from ((number, result) for result in found)
        wait = 0
    dead = [helper.exitcode for helper in helpers if helper.exitcode]
    if dead:
        raise UndertowError(
            f"a training process ended with status {dead[0]}, perhaps for want of memory: "
            "what is done is kept; try fewer --replicates, or --workers 1"
        )


def _work(
    tasks: list[Job], data: Data, waiting: Any, results: Any, threads: int, parent: int
) -> None:
    """Train one task after the other in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and ends its workers
    compute_on(threads)

    def send(message: tuple[int, list[Chunk | Shard] | Exception]) -> None:
        while True:
            if os.getppid() != parent:  # killed: nobody is left to train for
                os._exit(1)
            try:
                return results.put(message, timeout=POLL_SECONDS)
            except queue.Full:
                continue

    while (number := waiting.get()) is not None:
        collected: list[Chunk | Shard] = []
        sent = time.monotonic()

        def collect(_: Job, result: Chunk | Shard, number: int = number) -> None:
            nonlocal collected, sent
            collected.append(result)
            if isinstance(result, Shard) or time.monotonic() - sent > SEND_SECONDS:
                send((number, collected))
                collected, sent = [], time.monotonic()

        try:
            _train(tasks[number], data, collect)
        except Exception as error:
            send((number, as_sendable(error)))


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


def _train(task: Job, data: Data, receive: Receive) -> None:
    from undertow.executors import train_job

    train_job.train_job(task, data, lambda result: receive(task, result))
