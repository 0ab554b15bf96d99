"""The numbers of `undertow run --json`, recomputed by hand from the trace."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import sem, t

import undertow as ut
from undertow.data.dataset import load
from undertow.experiments import experiment
from undertow.statistics.comparison import compare
from undertow.statistics.permutation import smallest_p
from undertow.studies import study
from undertow.studies import summary as results
from undertow.trace import readings
from undertow.trace.record import Trace


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, Trace]]:
    path: Path = tmp_path_factory.mktemp("results") / "runs.db"
    moons, data = experiment("moons"), load("moons")
    arms = ["sigmoid", "relu", "relu-sgd"]
    with ut.open(path, create=True) as store:
        planned = study.plan(moons, data, arms=arms, replicates=7, epochs=3)
        outcomes = study.run(planned, data, store)
    return {outcome.arm: (outcome.run, outcome.trace) for outcome in outcomes}


def test_the_document_has_the_agreed_shape(runs: dict[str, tuple[str, Trace]]):
    document = results.document(experiment("moons"), runs)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert [arm["name"] for arm in document["arms"]] == ["sigmoid", "relu", "relu-sgd"]
    for arm in document["arms"]:
        assert {
            "name",
            "run",
            "parameters",
            "test_accuracy",
            "train_loss",
            "layers",
            "first_layer_weight_change",
        } <= set(arm)
        assert {"mean", "sd", "median", "iqm", "ci95", "stuck", "values"} <= set(
            arm["test_accuracy"]
        )
        assert len(arm["layers"]) == 11
        assert arm["parameters"] == 1031
    assert {
        "arm",
        "baseline",
        "difference",
        "ci95",
        "p_value",
        "p_holm",
        "probability_of_improvement",
    } <= set(document["comparisons"][0])
    assert [each["baseline"] for each in document["comparisons"]] == ["sigmoid", "sigmoid"]
    assert len(document["claims"]) == len(experiment("moons").claims)


def test_numbers_follow_from_the_trace(runs: dict[str, tuple[str, Trace]]):
    run, trace = runs["relu"]
    summary = results.arm_summary("relu", run, trace)
    data = trace.dataset
    accuracy = data["test_accuracy"].sel(step=21).values
    assert summary["test_accuracy"]["values"] == pytest.approx(accuracy.tolist())
    assert summary["test_accuracy"]["mean"] == pytest.approx(accuracy.mean())
    norms = data["grad_norm"].transpose("replicate", "step", "layer").values
    first = summary["layers"][0]["grad_norm"]
    assert first["first"] == pytest.approx(np.median(norms[:, 0, 0]))
    assert first["last"] == pytest.approx(np.median(norms[:, 14:21, 0].mean(1)), rel=1e-5)
    start, _, end = trace.artefacts["first_layer_weights"]
    change = np.abs(end - start)
    assert summary["first_layer_weight_change"]["percent"] == pytest.approx(
        np.median(100 * (change / np.abs(start)).mean((1, 2))), rel=1e-5
    )
    assert summary["first_layer_weight_change"]["over_learning_rate"] == pytest.approx(
        np.median(change.mean((1, 2))) / 1e-3, rel=1e-5
    )
    delta = data["delta_norm"].transpose("replicate", "step", "layer").values[:, 0]
    assert summary["total_dex"] == pytest.approx(
        np.median(np.log10(delta[:, 0] / delta[:, 9])), rel=1e-5
    )


def test_comparisons_are_paired_by_seed(runs: dict[str, tuple[str, Trace]]):
    traces = {arm: trace for arm, (_, trace) in runs.items()}
    found = {each["arm"]: each for each in results.comparisons("sigmoid", traces)}
    difference = readings.test_accuracy(traces["relu"]) - readings.test_accuracy(traces["sigmoid"])
    assert found["relu"]["difference"] == pytest.approx(difference.mean())
    wide = t.interval(0.95, len(difference) - 1, difference.mean(), sem(difference))
    assert found["relu"]["ci95"] == pytest.approx(list(wide))


def test_runs_of_other_seeds_are_not_paired(runs: dict[str, tuple[str, Trace]]):
    traces = {arm: trace for arm, (_, trace) in runs.items()}
    (paired, *_) = results.comparisons("sigmoid", traces)
    moved = traces["relu"].dataset.assign_coords(seed=("replicate", np.arange(7) + 100))
    (unpaired, *_) = results.comparisons(
        "sigmoid", traces | {"relu": Trace(moved, (), traces["relu"].artefacts)}
    )
    assert unpaired["difference"] == pytest.approx(paired["difference"])
    assert unpaired["ci95"] != pytest.approx(paired["ci95"])


def test_an_arm_without_its_baseline_is_compared_with_nothing(
    runs: dict[str, tuple[str, Trace]],
):
    traces = {arm: trace for arm, (_, trace) in runs.items()}
    assert results.comparisons("tanh", traces) == []


def test_what_is_not_finite_is_null(runs: dict[str, tuple[str, Trace]]):
    run, trace = runs["relu"]
    broken = trace.dataset.copy(deep=True)
    broken["loss"][:] = np.nan
    summary = results.arm_summary("relu", run, Trace(broken, (), trace.artefacts))
    assert summary["train_loss"] == {"first": None, "last": None}


def test_a_single_replicate_has_no_interval(tmp_path: Path):
    moons, data = experiment("moons"), load("moons")
    planned = study.plan(moons, data, arms=["relu"], replicates=1, epochs=1)
    with ut.open(tmp_path / "runs.db", create=True) as store:
        (outcome,) = study.run(planned, data, store)
    summary = results.arm_summary("relu", outcome.run, outcome.trace)
    assert summary["test_accuracy"]["ci95"] is None
    assert summary["test_accuracy"]["sd"] is None


@pytest.mark.parametrize(
    ("seeds", "tests", "says"),
    [
        (8, 18, "8 seeds can never reach p < .05 among 18 comparisons (the smallest possible is "),
        (8, 5, ""),
        (10, 18, ""),
        (6, 2, "6 seeds can never reach p < .05 among 2 comparisons (the smallest possible is "),
    ],
)
def test_a_correction_that_leaves_no_hope_is_named(seeds: int, tests: int, says: str):
    difference = np.arange(1.0, seeds + 1)
    comparison = compare(difference, np.zeros(seeds))
    assert comparison.p_value == 2.0 ** (1 - seeds)
    assert results.note_of(comparison, seeds, tests).startswith(says)
    assert bool(results.note_of(comparison, seeds, tests)) == bool(says)


def test_so_many_seeds_as_the_note_names_could():
    for tests in range(1, 60):
        comparison = compare(np.arange(1.0, 7), np.zeros(6))
        note = results.note_of(comparison, 6, tests)
        if note:
            needed = int(note.rsplit("; ", 1)[-1].split()[0])
            assert tests * smallest_p(needed) < 0.05 <= tests * smallest_p(needed - 1)
