"""How long a study will take, from a step of each kind of network, timed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from undertow.data.dataset import Data
from undertow.engine.common.threads import torch_threads
from undertow.executors.jobs import Job, shape
from undertow.executors.processes import cores, seconds_of, workers_for
from undertow.executors.train_job import train_job

WORTH_TIMING = 20.0  # seconds of guessed work; below, nobody waits for an estimate
FEW, MORE = 11, 21  # steps, beyond the first ten, which are all recorded


def seconds_left(jobs: Sequence[Job], data: Data, workers: int | None = None) -> float | None:
    """Estimate the wall time of training `jobs`; None for what is done at once.

    >>> from undertow.data.dataset import load
    >>> from undertow.executors.jobs import Part
    >>> from undertow.spec.network import NetworkSpec
    >>> from undertow.spec.training import TrainingSpec
    >>> net = NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid")
    >>> part = Part(run=0, first=0, network=net, seeds=(0,))
    >>> long = Job((part,), TrainingSpec(epochs=1_000_000), engine="torch")
    >>> seconds_left([long], load("moons")) > 60
    True

    One step of each kind is trained, on a few batches, and thrown away.
    """
    if seconds_of(jobs, data) < WORTH_TIMING:
        return None
    used = workers_for(jobs, data, workers)
    known: dict[tuple[object, ...], float] = {}
    total = 0.0
    with torch_threads(max(1, cores() // used)):
        for job in jobs:
            kind = _kind(job)
            if kind not in known:
                known[kind] = step_seconds(job, data)
            total += known[kind] * job.steps(data)
    return total / used or None  # a step too short to be timed tells nothing


def _kind(job: Job) -> tuple[object, ...]:
    """Tell what a step's time depends on."""
    return (shape(job.network), job.training.optimizer, job.training.batch_size, len(job.seeds))


def step_seconds(job: Job, data: Data) -> float:
    """Time the steps by which one short training is longer than another."""
    batch, samples = job.training.batch_size, len(data.train_targets)
    few, more = (min(steps, -(-samples // batch)) for steps in (FEW, MORE))
    if more == few:
        return _training_seconds(job, data, more) / more
    _training_seconds(job, data, few)  # what is done once in a process
    taken = [_training_seconds(job, data, steps) for steps in (few, more)]
    return max(0.0, taken[1] - taken[0]) / (more - few)


def _training_seconds(job: Job, data: Data, steps: int) -> float:
    part = data.first(steps * job.training.batch_size)
    part = replace(part, test_inputs=part.test_inputs[:1], test_targets=part.test_targets[:1])
    training = job.training.model_copy(update={"epochs": 1, "stages": ()})
    began = time.perf_counter()
    for _ in train_job(job._replace(training=training), part):
        pass
    return time.perf_counter() - began
