"""Nothing is lost and nothing stops the training: kills, full disks, raising hooks, two writers."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import undertow as ut
from tests.watching.loops import batches, mean_square, net, train
from undertow.errors import SpecError, StoreError
from undertow.watching.torch import layer_calls

ROOT = Path(__file__).parents[2]
PROGRAM = "tests.watching.training_program"
KILLS = 50
SMALL = 150_000  # bytes


def started(store: Path, name: str, steps: int, *more: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", PROGRAM, str(store), name, str(steps), *map(str, more)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


KILLED = """
import os, random, signal, sys
sys.path.insert(0, sys.argv[2])
import torch, undertow.watching.torch.watch, xarray
from tests.watching.training_program import main

undertow.watching.core.recorder.FLUSH_SECONDS = 0.01  # or they would mostly die before their second
store, moments = sys.argv[1], random.Random(3)
torch.set_num_threads(1)
# What the first step of an optimizer imports need not be imported fifty times.
parameter = torch.nn.Parameter(torch.ones(1))
parameter.grad = torch.ones(1)
torch.optim.SGD([parameter], 0.1).step()
for number in range(int(sys.argv[3])):
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        sys.stdout = os.fdopen(writer, "w")
        main(store, f"run-{number}", 1_000_000, depth=2)
    os.close(writer)
    seen, after = 0, moments.randrange(0, 500)  # bytes: up to 150 steps
    while seen < after:
        seen += len(os.read(reader, 64))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(reader)
    assert os.WIFSIGNALED(status), status
"""


def test_a_store_opens_after_fifty_kills(tmp_path: Path):
    path = tmp_path / "runs.db"
    ut.open(path, create=True).close()
    subprocess.run([sys.executable, "-c", KILLED, str(path), str(ROOT), str(KILLS)], check=True)
    with ut.open(path) as store:
        runs = store.runs()
        assert len(runs) > 0.9 * KILLS  # one killed at its birth is not there
        assert {run.state for run in runs} == {"interrupted"}
        lengths = []
        for run in runs:
            steps = store.trace(run.id).dataset.step.values
            assert np.array_equal(steps, np.arange(1, len(steps) + 1))
            lengths.append(len(steps))
    assert len(set(lengths)) > KILLS / 3  # at many different moments
    assert max(lengths) > 50


def disks(folder: Path) -> Iterator[tuple[str, Path, tuple[int, ...]]]:
    """Places where a store cannot grow: a small file system, if we may make one; small files."""
    if os.geteuid() == 0:
        place = folder / "small"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "none", str(place)]
        if subprocess.run(command, check=False, capture_output=True).returncode == 0:
            try:
                yield "the disk is full", place, ()
            finally:
                subprocess.run(["umount", "-l", str(place)], check=True)
    yield "disk I/O error", folder, (SMALL,)


def test_a_full_disk_does_not_stop_the_training(tmp_path: Path):
    for reason, folder, limit in disks(tmp_path):
        process = started(folder / "runs.db", "run", 1500, *limit)
        told, warned = process.communicate(timeout=120)
        *steps, last = told.splitlines()
        assert process.returncode == 0
        assert steps == [str(step) for step in range(1, 1501)]
        (line,) = warned.splitlines()  # once, whatever often it happens
        assert line.startswith("undertow: training goes on, but the trace will lack steps (cannot")
        assert reason in line
        # What waits in memory is there; what had to make room is told.
        words = last.split()
        kept = int(words[1])
        assert words[:1] + words[2:4] == ["steps", "1500", "lost"]
        assert 1000 < kept < 1500
        assert f"{1500 - kept} recorded steps" in last
        with ut.open(folder / "runs.db") as store:
            assert store.trace("run").dataset.sizes["step"] > 0


def test_two_processes_on_one_store(tmp_path: Path):
    path = tmp_path / "runs.db"
    both = [started(path, name, 200) for name in ("one", "two")]
    for process in both:
        told, warned = process.communicate(timeout=120)
        assert (process.returncode, warned) == (0, "")
        assert told.splitlines()[-1] == "steps 200 200 lost []"
    with ut.open(path) as store:
        assert {run.id: run.state for run in store.runs()} == {"one": "finished", "two": "finished"}
        for name in ("one", "two"):
            assert store.trace(name).dataset.step.values.tolist() == list(range(1, 201))


def test_the_same_run_twice_is_refused(tmp_path: Path):
    model = net(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    path = tmp_path / "runs.db"
    train(model, optimizer, batches(2), store=path, name="mine")
    with pytest.raises(StoreError, match="run 'mine' is in .*runs.db already: give another name"):
        ut.watch(model, optimizer, store=path, name="mine")
    # It left nothing behind: the optimizer can be watched, and without a name one is found.
    train(model, optimizer, batches(2), store=path)
    train(model, optimizer, batches(2), store=path)
    with ut.open(path) as store:
        assert [run.id for run in store.runs()] == ["mine", "sequential", "sequential-2"]


def test_a_user_s_exception_keeps_the_trace(tmp_path: Path):
    model = net(4, 6, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    path = tmp_path / "runs.db"
    w = ut.watch(model, optimizer, store=path, name="mine", every=1)

    def loop() -> None:
        with w:
            for number, inputs in enumerate(batches(20)):
                optimizer.zero_grad()
                mean_square(model(inputs)).backward()
                optimizer.step()
                _ = 1 / (7 - number)

    with pytest.raises(ZeroDivisionError):
        loop()
    with ut.open(path) as store:
        assert store.run("mine").state == "interrupted"
        stored = store.trace("mine")
    for trace in (stored, w.trace()):
        assert trace.dataset.step.values.tolist() == list(range(1, 9))
        assert [(event.kind, event.step, event.detail) for event in trace.events] == [
            ("interrupted", 8, "by ZeroDivisionError")
        ]


def test_a_hook_that_raises_never_stops_training(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def broken(*_: object) -> None:
        raise RuntimeError("out of luck\nand of lines")

    plain = net(4, 6, 1)
    train(plain, torch.optim.SGD(plain.parameters(), 0.1), batches(6))
    model = net(4, 6, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with caplog.at_level(logging.WARNING), ut.watch(model, optimizer, every=1) as w:
        for number, inputs in enumerate(batches(6), 1):
            if number == 4:
                monkeypatch.setattr(layer_calls, "norm", broken)
            optimizer.zero_grad()
            mean_square(model(inputs)).backward()
            optimizer.step()
    for one, other in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.equal(one, other)
    assert [record.message for record in caplog.records] == [
        "undertow: measuring has stopped, training goes on (RuntimeError: out of luck)"
    ]
    assert w.trace().dataset.step.values.tolist() == [1, 2, 3]
    assert "measuring has stopped: RuntimeError: out of luck" in w.summary()


def test_a_store_that_cannot_be_used_is_refused_at_once(tmp_path: Path):
    model = net(4, 1)
    (tmp_path / "notes.txt").write_text("not a store " * 20)
    with pytest.raises(StoreError, match="notes.txt is not a store of Undertow's"):
        ut.watch(model, store=tmp_path / "notes.txt")


def test_without_a_step(caplog: pytest.LogCaptureFixture):
    model = net(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with caplog.at_level(logging.WARNING), ut.watch(model, optimizer) as w:
        mean_square(model(next(batches(1)))).backward()
    why = "optimizer.step() was never called while it was watched, or in compiled code only"
    assert [record.message for record in caplog.records] == [
        f"undertow: nothing was watched: {why}"
    ]
    with pytest.raises(SpecError) as error:
        w.trace()
    assert str(error.value) == f"no step is recorded: {why}"
    assert why in w.summary()
