"""Jobs trained side by side, one process a core; the caller trains, and alone writes the store.

Small networks run on one thread, so a second core helps only as a second process. The caller
begins while the others start.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing, suppress
from functools import partial

from undertow.data.dataset import Data
from undertow.engine.common.stretches import in_stretches
from undertow.engine.common.threads import torch_threads
from undertow.errors import SpecError
from undertow.executors.executor import Results
from undertow.executors.helpers import helpers_beside
from undertow.executors.here import Here
from undertow.executors.jobs import Job

WORTH_A_PROCESS = 4.0  # seconds of training; below, starting a process takes longer than it saves
POLL_SECONDS = 1.0


class Processes:
    """Trains jobs in so many processes, of which the caller's is one.

    >>> from undertow.data.dataset import load
    >>> from undertow.executors.jobs import Part
    >>> from undertow.spec.network import NetworkSpec
    >>> from undertow.spec.training import TrainingSpec
    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=3, width=10, activation="tanh")
    >>> job = Job((Part(0, 0, spec, (0, 1)),), TrainingSpec(epochs=2), "torch")
    >>> [type(result).__name__ for _, result in Processes(workers=2).run([job], load("moons"))]
    ['Chunk', 'Chunk', 'Finished']

    `workers` is by default one a core, and one in all where the work is short. With one, all
    happens in this process. Threads are dealt out as if all jobs `of` a study were to be trained:
    products on two threads round otherwise than on one, and what is resumed must not.

    Raises
    ------
    SpecError
        Fewer than one worker.
    UndertowError
        A worker was killed, for example for want of memory.
    """

    def __init__(self, workers: int | None = None, of: Sequence[Job] | None = None) -> None:
        self._workers, self._of = workers, of

    def run(self, jobs: Sequence[Job], data: Data) -> Results:
        """Train the jobs, and yield what each brings as it comes."""
        whole = workers_for(jobs if self._of is None else self._of, data, self._workers)
        threads = max(1, cores() // whole)
        workers = workers_for(jobs, data, self._workers)
        if workers > 1:
            return _side_by_side(jobs, data, workers - 1, threads)
        alone = Here().run(jobs, data)
        return in_stretches(partial(torch_threads, threads), alone) if whole > 1 else alone


def check_workers(workers: int | None) -> None:
    """Refuse fewer than one worker; None leaves the number to `Processes`.

    >>> check_workers(0)
    Traceback (most recent call last):
    ...
    undertow.errors.SpecError: workers = 0: at least 1, for example --workers 2
    """
    if workers is not None and workers < 1:
        raise SpecError(f"workers = {workers}: at least 1, for example --workers 2")


def cores() -> int:
    """How many cores this process may use.

    >>> cores() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def workers_for(jobs: Sequence[Job], data: Data, workers: int | None) -> int:
    """Return how many processes train: by default one a core, and one where the work is short.

    >>> from undertow.data.dataset import load
    >>> from undertow.executors.jobs import Part
    >>> from undertow.spec.network import NetworkSpec
    >>> from undertow.spec.training import TrainingSpec
    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=3, width=10, activation="tanh")
    >>> job = Job((Part(0, 0, spec, (0,)),), TrainingSpec(epochs=1), "torch")
    >>> workers_for([job], load("moons"), None), workers_for([job] * 2, load("moons"), 8)
    (1, 2)
    """
    check_workers(workers)
    if workers is None and all(job.engine == "lanes" for job in jobs):
        return 1  # which has a thread a core of its own
    if workers is None:
        workers = cores() if seconds_of(jobs, data) >= WORTH_A_PROCESS else 1
    return max(1, min(workers, len(jobs)))


def seconds_of(jobs: Sequence[Job], data: Data) -> float:
    """Guess how long the training takes on one core: a millisecond of calls a step, and numbers.

    >>> from undertow.data.dataset import load
    >>> from undertow.executors.jobs import Part
    >>> from undertow.spec.network import NetworkSpec
    >>> from undertow.spec.training import TrainingSpec
    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=3, width=10, activation="tanh")
    >>> moons, part = load("moons"), Part(0, 0, spec, (0,))
    >>> jobs = [Job((part,), TrainingSpec(epochs=epochs), "torch") for epochs in (1, 10)]
    >>> round(seconds_of(jobs[1:], moons) / seconds_of(jobs[:1], moons), 6)
    10.0

    Lanes have no calls to wait for.
    """
    samples, seconds = len(data.train_targets), 0.0
    for job in jobs:
        numbers = len(job.seeds) * job.network.parameters * min(job.training.batch_size, samples)
        a_step = 2.5e-10 * numbers if job.engine == "lanes" else 1e-3 + 5e-10 * numbers
        seconds += job.steps(data) * a_step
    return seconds


def _side_by_side(jobs: Sequence[Job], data: Data, count: int, threads: int) -> Results:
    """Train here what the helpers leave, and yield what they send after each result of our own."""
    with helpers_beside(jobs, data, count, threads) as helpers:
        try:
            own = Here().run(helpers.left_to_the_caller(), data)
            with closing(in_stretches(partial(torch_threads, threads), own)) as results:
                for each in results:
                    yield each
                    yield from helpers.arrived()
            while helpers.owe:
                yield from helpers.arrived(wait=POLL_SECONDS)
        except GeneratorExit:
            raise
        except BaseException:
            with suppress(Exception):  # whole shards that wait to be read are not trained again
                yield from helpers.arrived()
            raise
