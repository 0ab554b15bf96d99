"""Arms of one shape train in one pass, and are what they are alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import undertow as ut
from undertow.data.dataset import load
from undertow.engine import choice
from undertow.executors import jobs
from undertow.executors.here import Here
from undertow.executors.jobs import Job, Part, join_jobs
from undertow.experiments import experiment
from undertow.spec.checked import with_changes
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.studies import study
from undertow.studies.experiment import Arm
from undertow.trace.store.writer import Writer

DATA = load("moons")
NETWORK = NetworkSpec(inputs=2, outputs=1, depth=4, width=10, activation="relu")
TRAINING = TrainingSpec(epochs=3, learning_rate=1e-2)
ARMS = (
    Arm("glorot", NETWORK, TRAINING, ""),
    Arm("he", with_changes(NETWORK, initialisation="he_normal"), TRAINING, ""),
    Arm("tanh", with_changes(NETWORK, activation="tanh"), TRAINING, ""),
    Arm("large", with_changes(NETWORK, initialisation="normal(0.5)", gain=1.5), TRAINING, ""),
    Arm("slow", NETWORK, with_changes(TRAINING, learning_rate=1e-3), ""),
)
EXPERIMENT = experiment("moons")._replace(arms=ARMS, claims=())


def shards(*arms: Arm, seeds: int = 3, first: int = 0) -> list[Job]:
    return [
        Job((Part(run, first, arm.network, tuple(range(seeds))),), arm.training, "lanes")
        for run, arm in enumerate(arms)
    ]


def runs_of(passes: list[Job]) -> list[list[int]]:
    return [[part.run for part in each.parts] for each in passes]


def test_arms_that_differ_in_their_first_weights_are_joined():
    assert runs_of(join_jobs(shards(*ARMS))) == [[0, 1, 3], [2], [4]]


def test_a_pass_holds_no_more_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch):
    alike = [ARMS[0]] * 5
    monkeypatch.setattr(jobs, "TOGETHER", 6)
    assert runs_of(join_jobs(shards(*alike))) == [[0, 1], [2, 3], [4]]
    monkeypatch.setattr(jobs, "TOGETHER_PARAMETERS", 5 * NETWORK.parameters)
    assert runs_of(join_jobs(shards(*alike))) == [[0], [1], [2], [3], [4]]


def test_shards_are_joined_with_those_that_begin_where_they_do():
    all_ = [*shards(*ARMS[:2]), *shards(*ARMS[:2], first=3)]
    assert runs_of(join_jobs(all_)) == [[0, 1], [0, 1]]
    assert [each.parts[0].first for each in join_jobs(all_)] == [0, 3]


@settings(max_examples=20, deadline=None)
@given(finished=st.sets(st.integers(0, 2)))
def test_what_is_left_after_any_passes_is_joined_as_before(finished: set[int]):
    alike = [ARMS[0]] * 70  # of 20 networks each: six arms to a pass, four in the last
    whole = join_jobs(shards(*alike, seeds=20))
    done = {part.run for place in finished for part in whole[place].parts}
    left = [each for each in shards(*alike, seeds=20) if each.parts[0].run not in done]
    assert runs_of(join_jobs(left)) == [
        runs for place, runs in enumerate(runs_of(whole)) if place not in finished
    ]


@pytest.mark.parametrize("stages", [(), ((2, 0), (4, 2))])
def test_an_arm_in_company_is_the_arm_alone(tmp_path: Path, stages):
    arms = [arm._replace(training=with_changes(arm.training, stages=stages)) for arm in ARMS]
    found = EXPERIMENT._replace(arms=tuple(arms))
    plan = study.plan(found, DATA, replicates=3)
    with ut.open(tmp_path / "runs.db", create=True) as store:
        assert len(study.jobs_left(plan, store)) == 3
        together = study.run(plan, DATA, store)
        alone = [study.run([each], DATA, store, fresh=True)[0] for each in plan]
    for one, other in zip(alone, together, strict=True):
        assert (one.arm, one.trained) == (other.arm, other.trained)
        assert set(one.trace.dataset) == set(other.trace.dataset)
        for name in one.trace.dataset:
            np.testing.assert_allclose(
                other.trace.dataset[name],
                one.trace.dataset[name],
                rtol=1e-4,
                atol=1e-6,
                err_msg=f"{one.arm} {name}",
            )
        for name, artefact in one.trace.artefacts.items():
            near = {"atol": 2} if name == "preactivation_histogram" else {"atol": 1e-5}
            np.testing.assert_allclose(
                other.trace.artefacts[name],
                artefact,
                rtol=1e-4,
                err_msg=f"{one.arm} {name}",
                **near,
            )
    assert not np.allclose(alone[0].trace.dataset["loss"], alone[1].trace.dataset["loss"])


def test_the_seconds_of_a_pass_are_shared(tmp_path: Path):
    plan = study.plan(EXPERIMENT, DATA, arms=["glorot", "he"], replicates=3)
    with ut.open(tmp_path / "runs.db", create=True) as store:
        one, other = study.run(plan, DATA, store)
    assert one.seconds == pytest.approx(other.seconds)


@pytest.mark.parametrize("epochs", [2, 3])
def test_arms_in_company_resume_as_if_nothing_had_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epochs: int
):
    """The second of two passes of two arms is stopped; its arms have stored epochs, no shard."""
    monkeypatch.setattr(jobs, "TOGETHER", 6)
    alike = [ARMS[0]._replace(name=name) for name in "abcd"]
    plan = study.plan(EXPERIMENT._replace(arms=tuple(alike)), DATA, replicates=3)

    def interrupt(progress: study.Progress) -> None:
        if progress.arm == "d" and progress.epochs_done == epochs:
            raise KeyboardInterrupt

    with ut.open(tmp_path / "runs.db", create=True) as store:
        with pytest.raises(KeyboardInterrupt):
            study.run(plan, DATA, store, progress=interrupt)
        assert [run.finished_replicates for run in store.runs()] == [3, 3, 0, 0]
        resumed = study.run(plan, DATA, store)
        assert [outcome.trained for outcome in resumed] == [0, 0, 3, 3]
        whole = study.run(plan, DATA, store, fresh=True)
    for one, other in zip(resumed, whole, strict=True):
        assert one.trace.dataset.drop_attrs().identical(other.trace.dataset.drop_attrs())


def test_the_shards_of_a_pass_are_finished_all_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """One that were finished without the other would leave the other to train alone."""
    plan = study.plan(EXPERIMENT, DATA, arms=["glorot", "he"], replicates=3)
    finish = Writer.finish_shard

    def failing(self, *arguments, **options):
        if "-he-" in self.run:
            raise OSError("the disk is gone")
        finish(self, *arguments, **options)

    with ut.open(tmp_path / "runs.db", create=True) as store:
        with monkeypatch.context() as patch:
            patch.setattr(Writer, "finish_shard", failing)
            with pytest.raises(OSError, match="the disk is gone"):
                study.run(plan, DATA, store)
        assert [run.finished_replicates for run in store.runs()] == [0, 0]
        assert [run.state for run in store.runs()] == ["interrupted"] * 2
        assert [outcome.trained for outcome in study.run(plan, DATA, store)] == [3, 3]


def test_first_weights_are_drawn_by_the_network_of_each(monkeypatch: pytest.MonkeyPatch):
    drawn = [with_changes(NETWORK, initialisation="normal(3)"), NETWORK]
    chunks = []
    choice.train(NETWORK, TRAINING, DATA, [7, 7], chunks.append, drawn_from=drawn)
    ratio = chunks[0].arrays["weight_norm"][0, 0] / chunks[0].arrays["weight_norm"][1, 0]
    assert (ratio > 3).all()


def test_what_was_rolled_back_is_not_counted_as_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Ctrl-C while the second arm's shard is written."""
    monkeypatch.setattr(study, "SHARD", 2)
    monkeypatch.setattr(jobs, "TOGETHER", 4)
    plan = study.plan(EXPERIMENT, DATA, arms=["glorot", "he"], replicates=3)
    finish, calls = Writer.finish_shard, []

    def failing(self, *arguments, **options):
        calls.append(self.run)
        if len(calls) == 4:
            raise KeyboardInterrupt
        finish(self, *arguments, **options)

    with ut.open(tmp_path / "runs.db", create=True) as store:
        with monkeypatch.context() as patch:
            patch.setattr(Writer, "finish_shard", failing)
            with pytest.raises(KeyboardInterrupt):
                study.run(plan, DATA, store)
        assert [run.finished_replicates for run in store.runs()] == [2, 2]
        assert [run.state for run in store.runs()] == ["interrupted"] * 2
        for outcome in study.run(plan, DATA, store):
            assert outcome.trained == 1
            assert np.isfinite(outcome.trace.dataset["loss"]).all()


class Lossy:
    """An executor that loses the second result, and is interrupted at the end."""

    def run(self, jobs, data):
        for number, each in enumerate(Here().run(jobs, data)):
            if number != 1:
                yield each
        raise KeyboardInterrupt


def test_a_shard_of_which_an_epoch_was_lost_is_trained_again(tmp_path: Path):
    plan = study.plan(EXPERIMENT, DATA, arms=["glorot", "he"], replicates=2)
    with ut.open(tmp_path / "runs.db", create=True) as store:
        with pytest.raises(KeyboardInterrupt):
            study.run(plan, DATA, store, executor=Lossy())
        assert [run.state for run in store.runs()] == ["interrupted"] * 2
        for outcome in study.run(plan, DATA, store):
            assert outcome.trained == 2
            assert np.isfinite(outcome.trace.dataset["loss"]).all()
