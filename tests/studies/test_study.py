"""A study is planned whole, resumed where it stopped, and kept whatever stops it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import undertow as ut
from undertow.data.dataset import load
from undertow.errors import SpecError, StoreError, UnknownName
from undertow.executors.here import Here
from undertow.executors.jobs import Finished
from undertow.experiments import experiment, names
from undertow.studies import study
from undertow.trace.store import writer as writers

MOONS = experiment("moons")
DATA = load("moons")


def ran(one, store, **options) -> study.Outcome:
    (outcome,) = study.run([one], DATA, store, **options)
    return outcome


def planned(arm: str = "relu", **options: Any):
    (one,) = study.plan(MOONS, DATA, arms=[arm], **({"replicates": 3, "epochs": 2} | options))
    return one


@pytest.mark.parametrize(("engine", "usual"), [("torch", 20), ("lanes", 100)])
def test_the_plan_names_every_arm_once(engine: str, usual: int):
    runs = study.plan(MOONS, DATA, engine=engine)
    assert [run.arm.name for run in runs] == [arm.name for arm in MOONS.arms]
    assert len({run.key for run in runs}) == len(runs)
    assert all((len(run.seeds), run.engine) == (usual, engine) for run in runs)


def test_a_run_is_its_engines():
    keys = [
        study.plan(MOONS, DATA, replicates=2, engine=name)[0].key for name in ("torch", "lanes")
    ]
    assert keys[0] != keys[1]
    assert study.plan(MOONS, DATA, replicates=2)[0].key == keys[1]


def test_the_published_settings():
    sigmoid = MOONS.arm("sigmoid")
    assert (sigmoid.network.inputs, sigmoid.network.depth, sigmoid.network.width) == (2, 10, 10)
    assert sigmoid.network.initialisation == "glorot_uniform"
    training = sigmoid.training
    assert (training.optimizer, training.learning_rate, training.epsilon) == (
        "keras_adam",
        1e-3,
        1e-7,
    )
    assert (training.batch_size, training.epochs) == (32, 100)
    assert (len(DATA.train_targets), len(DATA.test_targets)) == (200, 50)
    assert experiment("circles").arm("sigmoid").network.parameters == 1141
    circles = load("circles")
    assert (len(circles.train_targets), len(circles.test_targets)) == (670, 330)


@pytest.mark.parametrize("name", names())
def test_every_experiment_is_whole(name: str):
    found = experiment(name)
    arms = [arm.name for arm in found.arms]
    assert found.name == name
    assert len(set(arms)) == len(arms)
    assert found.baseline in arms
    assert all(set(claim.needs) <= set(arms) for claim in found.claims)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"replicates": 10**12},
            f"replicates = {10**12}: at most 1,000,000, for example --replicates 20",
        ),
        ({"replicates": 0}, "replicates = 0: at least 1, for example --replicates 20"),
        ({"epochs": -1}, "epochs = -1: at least 1, for example --epochs 100"),
        ({"seed": -1}, "seed = -1: 0 to 2147483644, for example --seed 0"),
    ],
)
def test_bad_numbers(options: dict[str, Any], message: str):
    with pytest.raises(SpecError) as caught:
        planned(**options)
    assert str(caught.value) == message


def test_an_unknown_arm_names_the_nearest():
    with pytest.raises(UnknownName, match="unknown arm of moons 'sigmod': did you mean 'sigmoid'"):
        planned("sigmod")


def test_a_finished_run_is_not_trained_again(tmp_path: Path):
    with ut.open(tmp_path / "runs.db", create=True) as store:
        first = ran(planned(), store)
        again = ran(planned(), store)
        fresh = ran(planned(), store, fresh=True)
        other = ran(planned(seed=5), store)
    assert (first.trained, again.trained, fresh.trained, other.trained) == (3, 0, 3, 3)
    assert again.run == first.run
    assert len({first.run, fresh.run, other.run}) == 3
    assert first.trace.dataset.identical(again.trace.dataset)
    assert (first.trace.dataset["grad_norm"] == fresh.trace.dataset["grad_norm"]).all()


def test_progress_counts_every_epoch(tmp_path: Path):
    seen: list[study.Progress] = []
    with ut.open(tmp_path / "runs.db", create=True) as store:
        ran(planned(epochs=4), store, progress=seen.append)
    assert seen == [study.Progress("relu", done, 4) for done in (1, 2, 3, 4)]


def test_shards_give_the_same_networks_as_one_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with ut.open(tmp_path / "runs.db", create=True) as store:
        whole = ran(planned(), store)
        monkeypatch.setattr(study, "SHARD", 2)
        cut = ran(planned(), store, fresh=True)
    for name in ("grad_norm", "loss", "test_accuracy"):
        np.testing.assert_allclose(
            cut.trace.dataset[name], whole.trace.dataset[name], rtol=1e-4, err_msg=name
        )
    np.testing.assert_allclose(
        cut.trace.artefacts["first_layer_weights"],
        whole.trace.artefacts["first_layer_weights"],
        rtol=1e-4,
        atol=1e-6,
    )


@pytest.mark.parametrize("engine", ["torch", "lanes"])
def test_the_trace_at_hand_is_the_one_that_is_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
):
    monkeypatch.setattr(study, "SHARD", 2)
    with ut.open(tmp_path / "runs.db", create=True) as store:
        outcome = ran(planned(engine=engine), store)
        read = store.trace(outcome.run)
    assert outcome.trace.dataset.identical(read.dataset)
    assert outcome.trace.events == read.events
    for name, array in read.artefacts.items():
        np.testing.assert_array_equal(outcome.trace.artefacts[name], array, err_msg=name)


def test_an_interrupted_run_keeps_its_shards_and_is_finished_by_the_same_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(study, "SHARD", 1)

    def interrupt(progress: study.Progress) -> None:
        if progress.epochs_done == 3:  # in the second of three shards of two epochs
            raise KeyboardInterrupt

    with ut.open(tmp_path / "runs.db", create=True) as store:
        with pytest.raises(KeyboardInterrupt):
            ran(planned(), store, progress=interrupt)
        (run,) = store.runs()
        assert (run.state, run.finished_replicates) == ("interrupted", 1)
        resumed = ran(planned(), store)
        assert (resumed.run, resumed.trained) == (run.id, 2)
        whole = ran(planned(), store, fresh=True)
    assert np.array_equal(resumed.trace.dataset["grad_norm"], whole.trace.dataset["grad_norm"])


class ChunksFirst:
    """An executor that holds the ends of its jobs back, as with workers that end together."""

    def run(self, jobs, data):
        ends = []
        for job, result in Here().run(jobs, data):
            if isinstance(result, Finished):
                ends.append((job, result))
            else:
                yield job, result
        yield from ends


def test_a_shard_that_was_rolled_back_leaves_no_hole_in_its_neighbour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """One shard's end is interrupted when the other's epochs wait to be written."""
    monkeypatch.setattr(study, "SHARD", 1)
    monkeypatch.setattr(writers, "FLUSH_SECONDS", 1e9)
    finish = writers.Writer.finish_shard

    def interrupt(self, *arguments) -> None:
        finish(self, *arguments)
        raise KeyboardInterrupt

    with ut.open(tmp_path / "runs.db", create=True) as store:
        with monkeypatch.context() as patch:
            patch.setattr(writers.Writer, "finish_shard", interrupt)
            with pytest.raises(KeyboardInterrupt):
                ran(planned(replicates=2), store, executor=ChunksFirst())
        assert store.runs()[0].finished_replicates == 0
        resumed = ran(planned(replicates=2), store)
    assert resumed.trained == 2
    assert np.isfinite(resumed.trace.dataset["loss"]).all()


def test_a_run_killed_after_its_last_shard_is_finished_by_the_same_call(tmp_path: Path):
    with ut.open(tmp_path / "runs.db", create=True) as store:
        first = ran(planned(), store)
        with store.writing() as connection:
            connection.execute("UPDATE runs SET state = 'interrupted'")
        again = ran(planned(), store)
        assert (again.run, again.trained) == (first.run, 0)
        assert store.runs()[0].state == "finished"


def test_an_interrupted_run_says_so_and_keeps_its_artefacts_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(study, "SHARD", 1)

    def interrupt(progress: study.Progress) -> None:
        if progress.epochs_done == 3:
            raise KeyboardInterrupt

    with ut.open(tmp_path / "runs.db", create=True) as store:
        with pytest.raises(KeyboardInterrupt):
            ran(planned(), store, progress=interrupt)
        (run,) = store.runs()
        trace = store.trace(run.id)
    assert [event.kind for event in trace.events] == ["interrupted"]
    kept = trace.artefacts["first_layer_weights"]
    assert kept.shape[1] == 3
    assert np.isfinite(kept[:, 0]).all()
    assert np.isnan(kept[:, 1:]).all()


PROGRAM = """
import os, signal, sys
import undertow as ut
from undertow.studies import study
from undertow.data.dataset import load
from undertow.experiments import experiment
from undertow.trace.store import writer as writer_module

writer_module.FLUSH_SECONDS = 0.0
(planned,) = study.plan(experiment("moons"), load("moons"), arms=["relu"], replicates=2, epochs=6)

def die(progress):
    if progress.epochs_done == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

with ut.open(sys.argv[1], create=True) as store:
    study.run([planned], load("moons"), store, progress=die)
"""


@pytest.mark.parametrize("epoch", [1, 4])
def test_a_killed_run_leaves_a_store_with_all_that_was_flushed(tmp_path: Path, epoch: int):
    path = tmp_path / "runs.db"
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(path), str(epoch)], check=False)
    assert done.returncode == -9
    with ut.open(path) as store:
        (run,) = store.runs()
        assert run.state == "interrupted"
        trace = store.trace(run.id)
        assert trace.dataset["epoch"].values.max() == epoch
        (whole,) = study.plan(MOONS, DATA, arms=["relu"], replicates=2, epochs=6)
        resumed = ran(whole, store)
        fresh = ran(whole, store, fresh=True)
    assert resumed.run == run.id
    assert np.array_equal(resumed.trace.dataset["grad_norm"], fresh.trace.dataset["grad_norm"])
    before = trace.dataset["grad_norm"].values
    assert np.array_equal(before, resumed.trace.dataset["grad_norm"].values[:, : before.shape[1]])


FULL = """
import resource, signal, sys
import undertow as ut
from undertow.errors import StoreError
from undertow.studies import study
from undertow.data.dataset import load
from undertow.experiments import experiment

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
(planned,) = study.plan(experiment("moons"), load("moons"), arms=["relu"], replicates=60, epochs=9)
with ut.open(sys.argv[1], create=True) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    try:
        study.run([planned], load("moons"), store)
    except StoreError as error:
        print(error)
"""


def test_a_file_that_cannot_grow_is_one_line_and_the_store_still_opens(tmp_path: Path):
    path = tmp_path / "runs.db"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.startswith(f"cannot use the store {path}: ")
    assert len(done.stdout.splitlines()) == 1
    with ut.open(path) as store:
        assert store.runs()[0].state == "interrupted"


def test_a_store_in_use_by_another_writer_of_the_same_run(tmp_path: Path):
    with ut.open(tmp_path / "runs.db", create=True) as store:
        ran(planned(), store)
        parent = 1
        born = Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[19]
        with store.writing() as connection:
            connection.execute(
                "UPDATE runs SET state = 'running', pid = ?, born = ?", (parent, born)
            )
        with pytest.raises(StoreError, match="is being written by process 1 on"):
            ran(planned(), store)
