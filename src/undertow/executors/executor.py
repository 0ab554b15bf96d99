"""The contract of an executor: jobs out, chunks back, in this process or in others."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Protocol

from undertow.data.dataset import Data
from undertow.executors.jobs import Job, Result

Results = Generator[tuple[Job, Result], None, None]


class Executor(Protocol):
    """Where jobs are trained.

    >>> from contextlib import closing
    >>> from undertow.data.dataset import load
    >>> from undertow.executors.here import Here
    >>> from undertow.executors.jobs import Part
    >>> from undertow.spec.network import NetworkSpec
    >>> from undertow.spec.training import TrainingSpec
    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=3, width=10, activation="tanh")
    >>> job, executor = Job((Part(0, 0, spec, (0,)),), TrainingSpec(epochs=1), "torch"), Here()
    >>> with closing(executor.run([job], load("moons"))) as results:
    ...     [type(result).__name__ for _, result in results]
    ['Chunk', 'Finished']

    It promises:

    - Of each job come its chunks, an epoch each and in order, and after them, once, `Finished`.
      Results of several jobs may alternate.
    - The same bits whatever executor, and however many workers. Large networks alone, whose
      products are shared among threads, have the same bits on the same number of threads.
    - An error ends the iteration: what has arrived by then is yielded, then it is raised. So does
      an interruption, `KeyboardInterrupt`, while a result is waited for.
    - Closing the iterator stops every thread and process that trains, at once, also in the middle
      of a job. What was yielded before is whole.
    - Between two results the caller finds PyTorch as he left it, gradients and threads.
    - It knows no store: the caller alone writes what he is given.

    Whoever may stop on the way closes the iterator:
    `with closing(executor.run(jobs, data)) as results: ...`.
    """

    def run(self, jobs: Sequence[Job], data: Data) -> Results:
        """Train the jobs, and yield what each brings as it comes, with its job."""
        ...
