"""What every executor owes: each promise checks one, and raises AssertionError where it is broken.

A promise is given what makes an executor, for one that was closed may not be usable again.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import cache

import numpy as np
import torch

from undertow.data.dataset import load
from undertow.executors.executor import Executor
from undertow.executors.jobs import Finished, Job, Part, Result
from undertow.executors.train_job import train_job
from undertow.spec.checked import with_changes
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.trace.record import Chunk

Make = Callable[[], Executor]
Promise = Callable[[Make], None]

DATA = load("moons")
NETWORK = NetworkSpec(inputs=2, outputs=1, depth=3, width=6, activation="tanh")
EPOCHS = 3
TRAINING = TrainingSpec(epochs=EPOCHS)
JOBS = [
    Job((Part(0, 0, NETWORK, (0, 1)),), TRAINING, "torch"),
    Job((Part(1, 0, NETWORK, (2,)), Part(2, 0, NETWORK, (3, 4))), TRAINING, "lanes", every=4),
    Job((Part(3, 0, with_changes(NETWORK, activation="relu"), (5,)),), TRAINING, "torch"),
]
ENDLESS = [job._replace(training=with_changes(TRAINING, epochs=10**6)) for job in JOBS]
BROKEN = JOBS[0]._replace(engine="none")  # pyright: ignore[reportArgumentType]


@cache
def results(make: Make) -> list[tuple[Job, Result]]:
    """Train the jobs once for all promises about what comes."""
    return list(make().run(JOBS, DATA))


@cache
def alone(place: int) -> list[Result]:
    """Train one of the jobs without an executor."""
    return list(train_job(JOBS[place], DATA))


def of_each_job(make: Make) -> list[list[Result]]:
    found = results(make)
    strangers = [job for job, _ in found if job not in JOBS]
    assert not strangers, f"results of a job that was not given: {strangers}"
    return [[result for each, result in found if each == job] for job in JOBS]


def each_job_ends_once(make: Make) -> None:
    """Each brings one `Finished`."""
    ends = [sum(isinstance(each, Finished) for each in found) for found in of_each_job(make)]
    assert ends == [1] * len(JOBS), f"ends of each job: {ends}"


def chunks_come_in_order_before_the_end(make: Make) -> None:
    """One an epoch, from the first to the last, and nothing after the end."""
    for found in of_each_job(make):
        epochs = [int(each.epochs[0]) if isinstance(each, Chunk) else "end" for each in found]
        assert epochs == [*range(1, EPOCHS + 1), "end"], f"a job brought {epochs}"


def the_bits_are_those_of_a_job_alone(make: Make) -> None:
    """Chunks and artefacts, whoever trained beside."""
    for job, found in zip(JOBS, of_each_job(make), strict=True):
        for one, other in zip(found, alone(JOBS.index(job)), strict=True):
            ours, theirs = arrays(one), arrays(other)
            assert ours.keys() == theirs.keys()
            for name, array in theirs.items():
                same = np.array_equal(ours[name], array, equal_nan=array.dtype.kind == "f")
                assert same, f"{name} has other bits"


def arrays(result: Result) -> dict[str, np.ndarray]:
    return dict(result.arrays if isinstance(result, Chunk) else result.artefacts)


def an_error_ends_the_iteration(make: Make) -> None:
    """It is raised, nothing comes after it, and nothing trains on."""
    before = busy()
    with closing(make().run([BROKEN, *ENDLESS[1:]], DATA)) as found:
        try:
            for _ in found:
                pass
        except KeyError:
            assert next(found, None) is None, "results come after an error"
        else:
            raise AssertionError("an error was swallowed")
    assert busy() == before, "something trains on after an error"


def closing_stops_all_training(make: Make) -> None:
    """In the middle of a job; what was yielded is whole."""
    before = busy()
    with closing(make().run(ENDLESS, DATA)) as found:
        job, chunk = next(found)
    assert job in ENDLESS
    assert isinstance(chunk, Chunk)
    assert int(chunk.epochs[0]) == 1
    assert next(found, None) is None, "results come after closing"
    assert busy() == before, "something trains on after closing"


def an_interruption_stops_all_training(make: Make) -> None:
    """Ctrl-C is raised, after what has arrived was yielded."""
    before = busy()
    found = make().run(ENDLESS, DATA)
    next(found)
    swallowed = True
    try:
        with suppress(StopIteration):
            found.throw(KeyboardInterrupt())
        for _ in found:
            pass
    except KeyboardInterrupt:
        swallowed = False
    assert not swallowed, "an interruption was swallowed"
    assert busy() == before, "something trains on after an interruption"


def the_caller_finds_torch_as_it_was(make: Make) -> None:
    """Gradients and threads, between two results and at the end."""
    before = torch.is_grad_enabled(), torch.get_num_threads()
    for _ in make().run(JOBS[:1], DATA):
        now = torch.is_grad_enabled(), torch.get_num_threads()
        assert now == before, f"gradients and threads {now} between results, before {before}"
    now = torch.is_grad_enabled(), torch.get_num_threads()
    assert now == before, f"gradients and threads {now} at the end, before {before}"


PROMISES: Sequence[Promise] = [
    each_job_ends_once,
    chunks_come_in_order_before_the_end,
    the_bits_are_those_of_a_job_alone,
    an_error_ends_the_iteration,
    closing_stops_all_training,
    an_interruption_stops_all_training,
    the_caller_finds_torch_as_it_was,
]


def busy() -> tuple[int, int]:
    """Threads that train here, and processes that train for us."""
    trainers = [each for each in threading.enumerate() if "train" in each.name]
    return len(trainers), len(multiprocessing.active_children())
