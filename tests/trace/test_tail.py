"""The end of a run is what the whole run ends with, and is read without the rest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import xarray

import undertow as ut
from undertow.errors import RunMissing, StoreForeign
from undertow.trace.record import Chunk, Event, Header, Layer, provenance
from undertow.trace.store import tail
from undertow.trace.store.reader import Store
from undertow.trace.store.writer import Writer

LAYERS = (Layer("0", 1, "linear", "relu", 2, 3), Layer("2", 2, "linear", "linear", 3, 1))


def header(replicates: int = 1) -> Header:
    return Header(LAYERS, tuple(range(replicates)), provenance("watched"))


def chunk(steps: Sequence[int], *, replicates: int = 1, add: float = 0.0) -> Chunk:
    """Steps whose numbers tell which step they are of."""
    numbers = np.tile(np.asarray(steps, float) + add, (replicates, 1))
    return Chunk(
        np.asarray(steps),
        np.ones(len(steps), int),
        {"grad_norm": numbers[..., None] * [1.0, 10.0], "loss": -numbers},
    )


def write(writer: Writer, *flushes: Sequence[int]) -> None:
    for steps in flushes:
        writer.append(0, chunk(steps))
        writer.flush()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with ut.open(tmp_path / "runs.db", create=True) as opened:
        yield opened


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 100])
def test_the_latest_steps_are_the_last_of_the_trace(store: Store, steps: int):
    write(store.begin("r", "k", "r", header()), [1, 2, 3], [4, 10], [20], [30, 40, 50])
    whole = store.trace("r").dataset.isel(step=slice(-steps, None))
    xarray.testing.assert_identical(tail.latest(store, "r", steps=steps).dataset, whole)


def spoil(store: Store, but: Sequence[int]) -> None:
    """Make every chunk unreadable but those that begin at these steps."""
    places = ", ".join(map(str, but))
    with store.writing() as connection:
        connection.execute(
            f"UPDATE chunks SET data = x'00' WHERE variable != 'step' AND step NOT IN ({places})"
        )
    with pytest.raises(StoreForeign):
        store.trace("r")


def test_the_latest_steps_are_read_without_the_others(store: Store):
    write(store.begin("r", "k", "r", header()), *([step] for step in range(1, 100)))
    spoil(store, but=[98, 99])
    assert tail.latest(store, "r", steps=2).dataset["loss"].values.tolist() == [[-98, -99]]
    with pytest.raises(StoreForeign, match="holds a damaged run"):
        tail.latest(store, "r", steps=3)


def test_the_course_of_the_loss_is_read_without_the_steps_between(store: Store):
    write(store.begin("r", "k", "r", header()), *([step] for step in range(1, 402)))
    spoil(store, but=[1, 101, 201, 301, 401])
    found = tail.course(store, "r", points=5)
    assert found.steps.tolist() == [1, 101, 201, 301, 401]
    assert found.values.tolist() == [-1, -101, -201, -301, -401]


def test_a_step_of_the_course_that_is_not_recorded_is_the_last_before_it(store: Store):
    write(store.begin("r", "k", "r", header()), [1, 2, 3], [40], [50, 101])
    assert tail.course(store, "r", points=5).steps.tolist() == [1, 3, 50, 101]


def test_a_loss_that_was_not_logged_has_no_course(store: Store):
    writer = store.begin("r", "k", "r", header())
    norms = {"grad_norm": chunk([1, 2]).arrays["grad_norm"]}
    writer.append(0, Chunk(np.array([1, 2]), np.array([1, 1]), norms))
    writer.flush()
    assert tail.last_step(store, "r") == 2
    assert len(tail.course(store, "r").steps) == 0


def test_a_run_without_a_step(store: Store):
    store.begin("r", "k", "r", header())
    assert tail.last_step(store, "r") is None
    assert tail.latest(store, "r").dataset.sizes["step"] == 0
    assert tail.latest(store, "r").dataset["layer"].values.tolist() == ["0", "2"]
    assert len(tail.course(store, "r").steps) == 0
    assert tail.events(store, "r") == ()


def test_of_several_shards_the_last_is_read(store: Store):
    writer = store.begin("r", "k", "r", header(3))
    writer.append(0, chunk([1, 2, 3], replicates=2))
    writer.finish_shard(0, 2, 1.0, {})
    writer.append(2, chunk([1, 2], add=0.5))
    writer.flush()
    assert tail.last_step(store, "r") == 2
    norms = tail.latest(store, "r").dataset["grad_norm"].values[:, 0, 0]
    assert np.isnan(norms[:2]).all()
    assert norms[2] == 2.5
    assert tail.course(store, "r").values.tolist() == [-1.5, -2.5]


def test_runs_are_told_apart(store: Store):
    write(store.begin("a", "k", "a", header()), [1, 2, 3])
    write(store.begin("b", "k", "b", header()), [1, 2])
    assert [tail.last_step(store, run) for run in "ab"] == [3, 2]


def test_the_newest_run_is_one_that_is_being_written(store: Store):
    store.begin("old", "k", "old", header()).finish()
    store.begin("written", "k", "written", header())
    store.begin("new", "k", "new", header()).finish()
    assert tail.newest(store).id == "written"
    store.begin("written", "k", "written", header()).finish()
    assert tail.newest(store).id == "new"


def test_a_store_without_a_run(store: Store):
    with pytest.raises(RunMissing, match=r"no run in .*runs.db yet: begin one, then look again"):
        tail.newest(store)


def test_the_state_is_the_one_that_the_list_of_runs_has(store: Store):
    writer = store.begin("r", "k", "r", header())
    assert tail.state(store, "r") == store.run("r").state == "running"
    with store.writing() as connection:
        connection.execute("UPDATE runs SET pid = ?, born = '1'", (os.getppid(),))
    assert tail.state(store, "r") == store.run("r").state == "interrupted"
    writer.finish()
    assert tail.state(store, "r") == store.run("r").state == "finished"
    with pytest.raises(RunMissing, match="run 'q' is not in the store"):
        tail.state(store, "q")


def test_the_last_events_in_the_order_of_their_steps(store: Store):
    happened = [Event("clipped", step, None, 0, "") for step in (5, 1, 2, 3, 4)]
    store.begin("other", "k", "other", header()).finish(events=(Event("skipped", 9),))
    store.begin("r", "k", "r", header()).finish(events=tuple(happened))
    assert [event.step for event in tail.events(store, "r")] == [1, 2, 3, 4, 5]
    assert [event.step for event in tail.events(store, "r", most=2)] == [3, 4]
