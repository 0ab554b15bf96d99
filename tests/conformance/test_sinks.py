"""Memory and store keep a sink's promises; a recorder keeps its own to every sink."""

from __future__ import annotations

import logging
from pathlib import Path
from threading import Event as Event_
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import undertow as ut
from tests.conformance import sink_promises
from tests.conformance.sink_promises import PROMISES, Promise
from undertow.errors import SpecError, StoreError
from undertow.trace.record import Chunk, Event, Header
from undertow.trace.sinks.memory import Memory
from undertow.trace.sinks.store import StoreFile
from undertow.watching.core.recorder import Recorder
from undertow.watching.core.rows import StepRow

KEEPERS = {
    "memory": lambda _: Memory(),
    "store": lambda folder: StoreFile(folder / "runs.db", "run"),
}


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize("keeper", KEEPERS)
def test_a_keeper_keeps(promise: Promise, keeper: str, tmp_path: Path) -> None:
    promise(KEEPERS[keeper], tmp_path)


class DropsRows(Memory):
    def rows(self, chunk: Chunk) -> None:
        if chunk.steps[0] == 1:
            super().rows(chunk)


class DropsEvents(Memory):
    def event(self, event: Event) -> None:
        """Forget it."""


class Rounds(Memory):
    def rows(self, chunk: Chunk) -> None:
        chunk.arrays["grad_norm"][...] = chunk.arrays["grad_norm"].round(-1)
        super().rows(chunk)


class WritesAtTheEnd(Memory):
    def chunks(self) -> list[Chunk]:
        return super().chunks() if self.is_finished else []

    is_finished = False

    def finish(self, state: str) -> None:
        self.is_finished = True


class SaysNothingOfItsSize(Memory):
    @property
    def size(self) -> int:
        return 0

    @size.setter
    def size(self, size: int) -> None:
        """Forget it."""


@pytest.mark.parametrize(
    ("fault", "promise", "message"),
    [
        (DropsRows, sink_promises.every_step_is_kept, "and not"),
        (DropsEvents, sink_promises.every_event_is_kept, r"\(\)"),
        (Rounds, sink_promises.what_is_handed_over_stays_as_it_is, "grad_norm was changed"),
        (WritesAtTheEnd, sink_promises.a_run_can_be_read_while_it_goes_on, "first steps"),
        (SaysNothingOfItsSize, sink_promises.its_size_is_stated, r"sizes \[0, 0, 0\]"),
    ],
)
def test_a_fault_is_found(
    fault: type[Memory], promise: Promise, message: str, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match=message):
        promise(lambda _: fault(), tmp_path)


def test_every_promise_is_broken_once() -> None:
    marks = test_a_fault_is_found.pytestmark  # pyright: ignore
    assert {promise for _, promise, _ in marks[0].args[1]} == set(PROMISES)


class Told:
    """A sink that writes down what it is told, and may raise at one of its methods."""

    def __init__(self, raises_at: str = "") -> None:
        self.words: list[Any] = []
        self.raises_at = raises_at

    def _told(self, what: str, value: object = None) -> None:
        self.words.append((what, value))
        if what == self.raises_at:
            raise OSError("the tracker is away")

    def begin(self, header: Header) -> None:
        self._told("begin", len(header.layers))

    def relabel(self, header: Header) -> None:
        self._told("relabel", len(header.layers))

    def rows(self, chunk: Chunk) -> None:
        self._told("rows", chunk.steps.tolist())

    def event(self, event: Event) -> None:
        self._told("event", event.kind)

    def finish(self, state: str) -> None:
        self._told("finish", state)


def trained(w: Any, model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 5) -> None:
    for _ in range(steps):
        loss = model(torch.ones(3, 2)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
        optimizer.step()
        w.log(loss=loss)


def watched(sinks: list[Any], **options: Any) -> Any:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with ut.watch(model, optimizer, every=1, sinks=sinks, **options) as w:
        trained(w, model, optimizer)
    return w


def test_a_sink_is_told_of_the_whole_run_in_order():
    sink = Told()
    watched([sink])
    kinds = [what for what, _ in sink.words]
    assert kinds[0] == "begin"
    assert kinds[-2:] == ["relabel", "finish"]
    assert sink.words[-1] == ("finish", "finished")
    assert kinds.index("relabel") < kinds.index("rows")
    steps = [step for what, value in sink.words if what == "rows" for step in value]
    assert steps == [1, 2, 3, 4, 5]
    assert kinds.count("event") == 5  # each step was clipped


@pytest.mark.parametrize("method", ["begin", "relabel", "rows", "event", "finish"])
def test_a_failing_sink_warns_once_and_is_dropped(
    method: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    failing, other = Told(raises_at=method), Told()
    with caplog.at_level(logging.WARNING, "undertow"):
        w = watched([failing, other], store=tmp_path / "runs.db")
    assert [record.getMessage() for record in caplog.records] == [
        "undertow: training goes on, but without the sink Told (OSError: the tracker is away)"
    ]
    assert [what for what, _ in failing.words].count(method) == 1
    assert failing.words[-1][0] == method  # nothing after it
    assert other.words[-1] == ("finish", "finished")
    assert w.trace().dataset.step.values.tolist() == [1, 2, 3, 4, 5]


def test_a_function_is_told_every_recorded_step():
    told: dict[int, dict[str, float]] = {}
    w = watched([lambda step, values: told.update({step: values})])
    data = w.trace().to_xarray().isel(replicate=0)
    assert list(told) == data.step.values.tolist()
    for step, values in told.items():
        row = data.sel(step=step)
        assert values["loss"] == row.loss.item()
        assert values["grad_norm/2"] == row.grad_norm.sel(layer="2").item()
        assert not any(np.isnan(value) for value in values.values())
    assert "activation_rms/2" not in told[1]  # nothing follows the last layer


@pytest.mark.parametrize(
    ("sinks", "message"),
    [
        (print, "sinks = <built-in function print>: a list, for example sinks=[print]"),
        (["wandb"], "a sink of type str has no begin, relabel, rows, event, finish: give a"),
        ([Memory], "sinks = [Memory]: a class; make one, Memory(...)"),
    ],
)
def test_what_is_no_sink_is_refused(sinks: Any, message: str) -> None:
    with pytest.raises(SpecError) as refused:
        watched(sinks)
    assert message in str(refused.value)


def test_a_door_has_every_sink():
    assert ut.sinks.Memory is Memory  # pyright: ignore
    with pytest.raises(AttributeError, match="unknown sink 'Memori': did you mean 'Memory'"):
        _ = ut.sinks.Memori  # pyright: ignore


class FailsAtFirst(Memory):
    """Memory that cannot be written for a while, as a disk that is full."""

    failures = 3

    def rows(self, chunk: Chunk) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreError("the disk is full")
        super().rows(chunk)


def test_what_a_keeper_cannot_take_is_offered_again(caplog: pytest.LogCaptureFixture) -> None:
    """Another sink has each step once meanwhile."""
    keeper, other = FailsAtFirst(), Told()
    recorder = Recorder(sink_promises.FIRST, keeper, [other], dtype=np.dtype(float))
    for step in range(1, 7):
        recorder.put(StepRow(step, 1, {"loss": 1.0 / step}))
        found = recorder.trace()  # which hands over what waits
        assert found.dataset.step.values.tolist() == list(range(1, step + 1))
    recorder.finish("finished", sink_promises.FIRST)
    assert [int(step) for chunk in keeper.chunks() for step in chunk.steps] == [1, 2, 3, 4, 5, 6]
    assert [step for what, value in other.words if what == "rows" for step in value] == [
        *range(1, 7)
    ]
    assert [each.getMessage() for each in caplog.records] == [
        "undertow: training goes on, but the trace will lack steps (the disk is full)"
    ]


def test_a_slow_sink_costs_no_row():
    """Twice as many rows as may wait for a failing store come while another sink is busy."""
    begun, done = Event_(), Event_()

    class Slow(Told):
        def rows(self, chunk: Chunk) -> None:
            super().rows(chunk)
            begun.set()
            assert done.wait(60)

    keeper, slow = KEEPERS["memory"](Path()), Slow()
    recorder = Recorder(sink_promises.FIRST, keeper, [slow], dtype=np.dtype(float))
    recorder.put(StepRow(1, 1, {"loss": 1.0}))
    assert begun.wait(60)
    for step in range(2, 2002):
        recorder.put(StepRow(step, 1, {"loss": 1.0}))
    done.set()
    recorder.finish("finished", sink_promises.FIRST)
    steps = list(range(1, 2002))
    assert [int(step) for chunk in keeper.chunks() for step in chunk.steps] == steps
    assert [step for what, value in slow.words if what == "rows" for step in value] == steps
