"""Every executor keeps every promise; one with a fault breaks the promise that is about it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

import pytest
import torch

from tests.executors import promises
from tests.executors.promises import PROMISES, Make, Promise
from undertow.executors.here import Here
from undertow.executors.jobs import Finished
from undertow.executors.processes import Processes
from undertow.trace.record import Chunk

EXECUTORS: dict[str, Make] = {
    "here": Here,
    **{f"processes-{workers}": partial(Processes, workers) for workers in (1, 2, 3)},
}


@pytest.mark.parametrize("make", EXECUTORS.values(), ids=EXECUTORS)
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_an_executor_keeps(promise: Promise, make: Make):
    promise(make)


class EndsTwice(Here):
    def run(self, jobs, data):
        for job, result in super().run(jobs, data):
            yield job, result
            if isinstance(result, Finished):
                yield job, result


class LastEpochFirst(Here):
    def run(self, jobs, data):
        for job in jobs:
            *chunks, end = super().run([job], data)
            yield from [*reversed(chunks), end]


class AnotherSeed(Here):
    def run(self, jobs, data):
        for job in jobs:
            part = job.parts[0]._replace(seeds=tuple(99 for _ in job.parts[0].seeds))
            other = job._replace(parts=(part, *job.parts[1:]))
            for _, result in super().run([other], data):
                yield job, result


class RoundsOff(Here):
    def run(self, jobs, data):
        for job, result in super().run(jobs, data):
            if isinstance(result, Chunk):
                arrays = {name: array * (1 + 1e-6) for name, array in result.arrays.items()}
                result = replace(result, arrays=arrays)
            yield job, result


class Swallows(Here):
    def run(self, jobs, data):
        with suppress(Exception):
            yield from super().run(jobs, data)


class LeavesAThread(Here):
    def run(self, jobs, data):
        ended = threading.Event()
        left = threading.Thread(target=ended.wait, name="trains on", daemon=True)
        LEFT.append((ended, left))
        left.start()
        yield from super().run(jobs, data)


class SwallowsInterruptions(Here):
    def run(self, jobs, data):
        with suppress(KeyboardInterrupt):
            yield from super().run(jobs, data)


class LeavesGradientsOff(Here):
    def run(self, jobs, data):
        with torch.no_grad():
            yield from super().run(jobs, data)


LEFT: list[tuple[threading.Event, threading.Thread]] = []
FAULTS: list[tuple[Make, Promise, str]] = [
    (EndsTwice, promises.each_job_ends_once, r"ends of each job: \[2, 2, 2\]"),
    (EndsTwice, promises.chunks_come_in_order_before_the_end, r"1, 2, 3, 'end', 'end'"),
    (LastEpochFirst, promises.chunks_come_in_order_before_the_end, r"3, 2, 1, 'end'"),
    (AnotherSeed, promises.the_bits_are_those_of_a_job_alone, "has other bits"),
    (RoundsOff, promises.the_bits_are_those_of_a_job_alone, "has other bits"),
    (Swallows, promises.an_error_ends_the_iteration, "an error was swallowed"),
    (LeavesAThread, promises.an_error_ends_the_iteration, "trains on after an error"),
    (LeavesAThread, promises.closing_stops_all_training, "trains on after closing"),
    (LeavesAThread, promises.an_interruption_stops_all_training, "after an interruption"),
    (SwallowsInterruptions, promises.an_interruption_stops_all_training, "was swallowed"),
    (LeavesGradientsOff, promises.the_caller_finds_torch_as_it_was, "between results"),
]


@pytest.fixture(autouse=True)
def threads_end():
    yield
    for event, thread in LEFT:
        event.set()
        thread.join()


@pytest.mark.parametrize(
    ("fault", "promise", "said"),
    FAULTS,
    ids=[f"{fault.__name__}-{promise.__name__}" for fault, promise, _ in FAULTS],  # pyright: ignore
)
def test_a_fault_is_found(fault: Callable, promise: Promise, said: str):
    with pytest.raises(AssertionError, match=said):
        promise(fault)


def test_every_promise_is_broken_by_some_fault():
    assert {promise for _, promise, _ in FAULTS} == set(PROMISES)
