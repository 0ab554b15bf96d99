"""Large networks train each by itself, several at a time, and are what they are alone."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
import torch

from undertow.data.dataset import Data, load
from undertow.engine import choice
from undertow.engine.common.threads import torch_threads
from undertow.executors import train_job
from undertow.executors.jobs import Finished, Job, Part, Result
from undertow.spec.checked import with_changes
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.trace.record import Chunk

DATA = load("moons")
NETWORK = NetworkSpec(inputs=2, outputs=1, depth=4, width=12, activation="tanh")
BRIEF = TrainingSpec(epochs=3, learning_rate=1e-2)
WIDE = with_changes(NETWORK, initialisation="normal(0.5)")
JOB = Job(
    (Part(0, 0, NETWORK, (3, 4, 5)), Part(1, 0, WIDE, (3, 4))),
    BRIEF,
    "torch",  # lanes share the cores by blocks
    every=2,
)


@pytest.fixture(autouse=True)
def two_cores_and_nothing_too_small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(train_job, "LARGE", 1)
    monkeypatch.setattr(train_job, "A_TURN", 3)
    with torch_threads(2):
        yield


def results_of(job: Job, data: Data = DATA) -> tuple[list[Chunk], Finished]:
    *chunks, end = train_job.train_job(job, data)
    assert isinstance(end, Finished)
    return [chunk for chunk in chunks if isinstance(chunk, Chunk)], end


def alone(job: Job) -> tuple[list[list[Chunk]], list[dict[str, np.ndarray]]]:
    each: list[list[Chunk]] = []
    artefacts = []
    for seed, network in zip(job.seeds, job.drawn_from, strict=True):
        each.append([])
        artefacts.append(
            choice.train(
                job.network,
                job.training,
                DATA,
                [seed],
                each[-1].append,
                every=job.every,
                engine="torch",
                drawn_from=[network],
            )
        )
    return each, artefacts


@pytest.mark.parametrize(
    "job",
    [
        JOB,
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
def test_by_turns_is_bit_for_bit_what_each_is_alone(job: Job):
    chunks, end = results_of(job)
    expected, artefacts = alone(job)
    assert len(chunks) == len(expected[0])
    for epoch, chunk in enumerate(chunks):
        assert np.array_equal(chunk.steps, expected[0][epoch].steps)
        for name, array in chunk.arrays.items():
            parts = [of_one[epoch].arrays[name] for of_one in expected]
            assert np.array_equal(array, np.concatenate(parts), equal_nan=True), name
    assert end.artefacts["decision_grid"].shape == (len(job.seeds), 60, 60)
    for place, found in enumerate(artefacts):
        assert np.array_equal(end.artefacts["decision_grid"][place], found["decision_grid"][0])
        histogram = end.artefacts["preactivation_histogram"][:, place]
        assert np.array_equal(histogram, found["preactivation_histogram"][:, 0])
    assert np.array_equal(end.artefacts["data_inputs"], artefacts[0]["data_inputs"])


def test_a_batch_of_them_gives_the_same_to_round_off():
    chunks, end = results_of(JOB)
    together: list[Chunk] = []
    artefacts = choice.train(
        JOB.network,
        BRIEF,
        DATA,
        JOB.seeds,
        together.append,
        every=JOB.every,
        engine="torch",
        drawn_from=JOB.drawn_from,
    )
    for one, other in zip(chunks, together, strict=True):
        assert one.arrays.keys() == other.arrays.keys()
        assert one.arrays["grad_norm"] == pytest.approx(other.arrays["grad_norm"], rel=1e-3)
    assert end.artefacts.keys() == artefacts.keys()
    for name, array in end.artefacts.items():
        assert array.shape == artefacts[name].shape, name
        assert array.dtype == artefacts[name].dtype, name


@pytest.mark.parametrize(
    ("threads", "job"),
    [(1, JOB), (2, Job((Part(0, 0, NETWORK, (3,)),), BRIEF, engine="torch"))],
    ids=["one core", "one network"],
)
def test_there_must_be_cores_and_networks_to_share_them(threads: int, job: Job):
    with torch_threads(threads):
        assert not train_job.each_by_itself(job, DATA)


def test_small_networks_stay_together(monkeypatch: pytest.MonkeyPatch):
    assert train_job.each_by_itself(JOB, DATA)
    monkeypatch.setattr(train_job, "LARGE", NETWORK.width**2 * BRIEF.batch_size + 1)
    assert not train_job.each_by_itself(JOB, DATA)


def test_an_error_of_one_ends_all_and_reaches_the_caller():
    short = replace(DATA, train_inputs=DATA.train_inputs[:-1])
    before = threading.active_count(), torch.get_num_threads()
    with pytest.raises((IndexError, RuntimeError), match="out of range"):
        results_of(JOB, short)
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
        list(train_job.train_job(JOB, DATA))
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
    received: list[Result] = []
    job = JOB._replace(training=with_changes(BRIEF, epochs=10_000))

    def take_all() -> None:
        with closing(train_job.train_job(job, DATA)) as results:
            for result in results:
                received.append(result)
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        take_all()
    assert len(received) == 1
    assert (threading.active_count(), torch.get_num_threads()) == before
