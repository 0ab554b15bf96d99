"""Shards trained in other processes are the same shards, and nothing is left running."""

from __future__ import annotations

import json
import os
import pickle
import pty
import signal
import subprocess
import sysconfig
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import undertow as ut
from undertow.data.dataset import load
from undertow.errors import UndertowError, UnknownName
from undertow.executors import helpers, here, processes
from undertow.executors.helpers import as_sendable
from undertow.executors.jobs import Job
from undertow.executors.processes import Processes
from undertow.experiments import experiment
from undertow.studies import study

MOONS, DATA = experiment("moons"), load("moons")
UNDERTOW = Path(sysconfig.get_path("scripts")) / "undertow"


def test_processes_give_the_same_bits_as_one(tmp_path: Path):
    plan = study.plan(MOONS, DATA, arms=["sigmoid", "relu"], replicates=3, epochs=3)
    with ut.open(tmp_path / "runs.db", create=True) as store:
        alone = study.run(plan, DATA, store, workers=1)
        beside = study.run(plan, DATA, store, workers=2, fresh=True)
    for one, other in zip(alone, beside, strict=True):
        assert one.arm == other.arm
        assert other.trained == 3
        for name in one.trace.dataset.data_vars:
            assert np.array_equal(
                one.trace.dataset[name], other.trace.dataset[name], equal_nan=True
            ), name


def one_network_of(*arms: str) -> list[Job]:
    plan = study.plan(MOONS, DATA, arms=arms, replicates=1, epochs=1)
    return [each.job(number, 0, (0,)) for number, each in enumerate(plan)]


def test_threads_do_not_depend_on_what_is_left(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(processes, "cores", lambda: 2)
    monkeypatch.setattr(processes, "WORTH_A_PROCESS", 0.0)
    one = one_network_of("relu")[0]._replace(engine="torch")  # lanes have threads of their own
    seen = []

    def train_job(*_):
        seen.append(torch.get_num_threads())
        yield from ()

    monkeypatch.setattr(here, "train_job", train_job)
    before = torch.get_num_threads()
    assert list(Processes(of=[one, one]).run([one], DATA)) == []
    assert list(Processes().run([one], DATA)) == []
    assert seen == [1, before]
    assert torch.get_num_threads() == before


class Stubborn(RuntimeError):
    """Cannot be pickled."""

    def __reduce__(self):
        raise TypeError("not me")


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (ValueError("one"), ValueError, "one"),
        (Stubborn("two"), UndertowError, "Stubborn: two"),
        (UnknownName("arm", "x", ["y"]), UndertowError, "unknown arm 'x'"),
    ],
)
def test_an_error_that_cannot_travel_sends_its_words(error, kind, words: str):
    sent = as_sendable(error)
    assert isinstance(pickle.loads(pickle.dumps(sent)), kind)
    assert str(sent).startswith(words)


def test_a_lost_result_is_an_error_and_no_endless_wait(monkeypatch: pytest.MonkeyPatch):
    """A helper that ends well, and whose message never came."""

    class Owing(helpers.Helpers):
        owe = True  # pyright: ignore[reportAssignmentType]

    monkeypatch.setattr(helpers, "Helpers", Owing)
    monkeypatch.setattr(here, "train_job", lambda *_: (_ for _ in ()))
    with pytest.raises(UndertowError, match="a training process ended without its results"):
        list(Processes(workers=2).run(one_network_of("sigmoid", "relu"), DATA))


def children(of: int) -> list[int]:
    """Processes that train for `of`."""
    listed = Path(f"/proc/{of}/task/{of}/children").read_text().split()
    commands = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in listed}
    return [pid for pid, command in commands.items() if b"spawn_main" in command]


def test_a_killed_worker_is_an_error_and_the_others_end(tmp_path: Path):
    plan = study.plan(MOONS, DATA, arms=["sigmoid", "relu"], replicates=2, epochs=100_000)

    def kill(_: study.Progress) -> None:
        for pid in children(os.getpid()):
            os.kill(pid, signal.SIGKILL)

    with (
        ut.open(tmp_path / "runs.db", create=True) as store,
        pytest.raises(UndertowError, match="a training process ended with status -9, perhaps"),
    ):
        study.run(plan, DATA, store, workers=2, progress=kill)
    assert children(os.getpid()) == []


def hear_ctrl_c() -> None:
    """Undo what a shell does to jobs in its background: they, and their children, ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def begin(folder: Path, *, alone: bool = False) -> tuple[subprocess.Popen[bytes], int]:
    """Start a long run in two processes, and wait until both train."""
    words = ["run", "moons", "--arm", "relu", "--arm", "tanh", "--replicates", "2"]
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [str(UNDERTOW), *words, "--epochs", "100000", "--workers", "2"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=slave,
        start_new_session=alone,
        preexec_fn=hear_ctrl_c,
    )
    os.close(slave)
    seen = b""
    while not (b"relu" in seen and b"tanh" in seen):
        seen += os.read(master, 1000)
    return process, master


def wait_for_the_end(pids: list[int]) -> None:
    """Return when none of these processes lives; the test's own time limit ends a hang."""
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        os.sched_yield()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_ctrl_c_ends_the_workers_and_keeps_both_runs(tmp_path: Path):
    process, master = begin(tmp_path, alone=True)
    trainers = children(process.pid)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    while True:
        try:
            os.read(master, 1000)
        except OSError:
            break
    assert process.wait() == 130
    os.close(master)
    wait_for_the_end(trainers)
    done = subprocess.run(
        [str(UNDERTOW), "runs", "--json"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert [run["state"] for run in json.loads(done.stdout)] == ["interrupted", "interrupted"]


def test_workers_of_a_killed_program_end_by_themselves(tmp_path: Path):
    process, master = begin(tmp_path)
    trainers = children(process.pid)
    assert len(trainers) == 1  # the program itself trains too
    process.kill()
    process.wait()
    os.close(master)
    wait_for_the_end(trainers)
    with ut.open(tmp_path / "undertow.db") as store:
        assert {run.state for run in store.runs()} == {"interrupted"}
