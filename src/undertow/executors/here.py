"""The smallest executor: one job after the other, in this process."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

from undertow.data.dataset import Data
from undertow.engine.engine import Hooks
from undertow.executors.executor import Results
from undertow.executors.jobs import Job
from undertow.executors.train_job import train_job


class Here:
    """Trains in this process, on the threads PyTorch has.

    >>> from undertow.data.dataset import load
    >>> from undertow.executors.jobs import Part
    >>> from undertow.spec.network import NetworkSpec
    >>> from undertow.spec.training import TrainingSpec
    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=3, width=10, activation="tanh")
    >>> job = Job((Part(0, 0, spec, (0, 1)),), TrainingSpec(epochs=2), "torch")
    >>> [type(result).__name__ for _, result in Here().run([job], load("moons"))]
    ['Chunk', 'Chunk', 'Finished']

    `hooks` are for those who look on: they see all networks of a job at once.
    """

    def __init__(self, hooks: Hooks | None = None) -> None:
        self._hooks = hooks

    def run(self, jobs: Iterable[Job], data: Data) -> Results:
        """Train each job when its turn comes; `jobs` may still be growing."""
        for job in jobs:
            with closing(train_job(job, data, self._hooks)) as results:
                for result in results:
                    yield job, result
