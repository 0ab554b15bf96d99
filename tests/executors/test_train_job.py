"""Large networks train each by itself, several at a time, and are what they are alone."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from undertow.data.dataset import Data, load
from undertow.engine import choice
from undertow.engine.common.threads import torch_threads
from undertow.executors import train_job
from undertow.executors.jobs import Job, Part, Shard
from undertow.spec.checked import with_changes
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.trace.record import Chunk

DATA = load("moons")
NETWORK = NetworkSpec(inputs=2, outputs=1, depth=4, width=12, activation="tanh")
BRIEF = TrainingSpec(epochs=3, learning_rate=1e-2)
WIDE = with_changes(NETWORK, initialisation="normal(0.5)")
TASK = Job(
    (Part(0, 0, NETWORK, (3, 4, 5)), Part(1, 0, WIDE, (3, 4))),
    BRIEF,
    every=2,
    engine="torch",  # lanes share the cores by blocks
)


@pytest.fixture(autouse=True)
def two_cores_and_nothing_too_small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(train_job, "LARGE", 1)
    monkeypatch.setattr(train_job, "A_TURN", 3)
    with torch_threads(2):
        yield


def results_of(task: Job, data: Data = DATA) -> tuple[list[Chunk], Shard]:
    results: list[Chunk | Shard] = []
    train_job.train_job(task, data, results.append)
    *chunks, shard = results
    assert isinstance(shard, Shard)
    return [chunk for chunk in chunks if isinstance(chunk, Chunk)], shard


def alone(task: Job) -> tuple[list[list[Chunk]], list[dict[str, np.ndarray]]]:
    each: list[list[Chunk]] = []
    artefacts = []
    for seed, network in zip(task.seeds, task.drawn_from, strict=True):
        each.append([])
        artefacts.append(
            choice.train(
                task.network,
                task.training,
                DATA,
                [seed],
                each[-1].append,
                every=task.every,
                engine="torch",
                drawn_from=[network],
            )
        )
    return each, artefacts


@pytest.mark.parametrize(
    "task",
    [
        TASK,
        Job(
            (Part(0, 0, with_changes(NETWORK, normalisation="batch"), (1, 0, 2)),),
            BRIEF,
            engine="torch",
        ),
        Job(
            (Part(0, 0, NETWORK, (1, 0, 2)),),
            with_changes(BRIEF, stages=((2, 0), (4, 1)), optimizer="adam"),
            engine="torch",
        ),
    ],
    ids=["two arms", "batch norm", "stages"],
)
def test_by_turns_is_bit_for_bit_what_each_is_alone(task: Job):
    chunks, shard = results_of(task)
    expected, artefacts = alone(task)
    assert len(chunks) == len(expected[0])
    for epoch, chunk in enumerate(chunks):
        assert np.array_equal(chunk.steps, expected[0][epoch].steps)
        for name, array in chunk.arrays.items():
            parts = [of_one[epoch].arrays[name] for of_one in expected]
            assert np.array_equal(array, np.concatenate(parts), equal_nan=True), name
    assert shard.artefacts["decision_grid"].shape == (len(task.seeds), 60, 60)
    for place, found in enumerate(artefacts):
        assert np.array_equal(shard.artefacts["decision_grid"][place], found["decision_grid"][0])
        histogram = shard.artefacts["preactivation_histogram"][:, place]
        assert np.array_equal(histogram, found["preactivation_histogram"][:, 0])
    assert np.array_equal(shard.artefacts["data_inputs"], artefacts[0]["data_inputs"])


def test_a_batch_of_them_gives_the_same_to_round_off():
    chunks, shard = results_of(TASK)
    together: list[Chunk] = []
    artefacts = choice.train(
        TASK.network,
        BRIEF,
        DATA,
        TASK.seeds,
        together.append,
        every=TASK.every,
        engine="torch",
        drawn_from=TASK.drawn_from,
    )
    for one, other in zip(chunks, together, strict=True):
        assert one.arrays.keys() == other.arrays.keys()
        assert one.arrays["grad_norm"] == pytest.approx(other.arrays["grad_norm"], rel=1e-3)
    assert shard.artefacts.keys() == artefacts.keys()
    for name, array in shard.artefacts.items():
        assert array.shape == artefacts[name].shape, name
        assert array.dtype == artefacts[name].dtype, name


@pytest.mark.parametrize(
    ("threads", "task"),
    [(1, TASK), (2, Job((Part(0, 0, NETWORK, (3,)),), BRIEF, engine="torch"))],
    ids=["one core", "one network"],
)
def test_there_must_be_cores_and_networks_to_share_them(threads: int, task: Job):
    with torch_threads(threads):
        assert not train_job.each_by_itself(task, DATA)


def test_small_networks_stay_together(monkeypatch: pytest.MonkeyPatch):
    assert train_job.each_by_itself(TASK, DATA)
    monkeypatch.setattr(train_job, "LARGE", NETWORK.width**2 * BRIEF.batch_size + 1)
    assert not train_job.each_by_itself(TASK, DATA)


def test_an_error_of_one_ends_all_and_reaches_the_caller():
    short = replace(DATA, train_inputs=DATA.train_inputs[:-1])
    before = threading.active_count(), torch.get_num_threads()
    with pytest.raises((IndexError, RuntimeError), match="out of range"):
        results_of(TASK, short)
    assert (threading.active_count(), torch.get_num_threads()) == before


def test_an_interruption_while_threads_start_is_the_callers(monkeypatch: pytest.MonkeyPatch):
    start, begun = threading.Thread.start, []

    def interrupted(thread: threading.Thread) -> None:
        if len(begun) == 2:
            raise KeyboardInterrupt
        begun.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_job.train_job(TASK, DATA, lambda _: None)
    assert not any(thread.is_alive() for thread in begun)


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Python's own answer to Ctrl-C; a shell lets jobs in its background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_an_interruption_ends_all_at_once():
    before = threading.active_count(), torch.get_num_threads()
    received: list[Chunk | Shard] = []

    def interrupted(result: Chunk | Shard) -> None:
        received.append(result)
        signal.raise_signal(signal.SIGINT)

    task = TASK._replace(training=with_changes(BRIEF, epochs=10_000))
    with pytest.raises(KeyboardInterrupt):
        train_job.train_job(task, DATA, interrupted)
    assert len(received) == 1
    assert (threading.active_count(), torch.get_num_threads()) == before
