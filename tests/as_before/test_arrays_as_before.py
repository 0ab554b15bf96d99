"""Every array, event and attribute of the small stores is read as it was, to the last digit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import undertow as ut
from tests.as_before import holdings, trainings
from tests.as_before.differing import differences, told
from tests.as_before.kept import NAMES, STORES, copied, expected, run_ids
from undertow.trace.record import Trace

# What the first step of a network of ten layers may differ by between two instruction sets: each
# number is a sum of a few hundred float32 products (round-off 6e-8 each, 1e-6 a layer), and eleven
# layers are passed forward and back.
FIRST_STEP = 1e-4
ARMS = ("sigmoid", "relu")
COMPARED = ("grad_norm", "delta_norm", "weight_norm", "activation_rms", "preactivation_rms")


@pytest.mark.parametrize("name", NAMES)
def test_a_store_holds_what_it_held(name: str, tmp_path: Path):
    found = differences(expected(f"holds-{name}"), holdings.store(copied(name, tmp_path)))
    assert not found, told(found)


def test_a_killed_run_is_told_where_it_was_killed_and_nowhere_else(tmp_path: Path):
    """Whether a process of another machine still writes cannot be known: it is said to run."""
    kept = tmp_path / "kept.db"
    kept.write_bytes((STORES / "interrupted.db").read_bytes())
    with ut.open(kept) as store:
        assert [run.state for run in store.runs()] == ["finished", "interrupted", "running"]
    with ut.open(copied("interrupted", tmp_path)) as store:
        assert [run.state for run in store.runs()] == ["finished", "interrupted", "interrupted"]


@pytest.mark.parametrize("name", NAMES)
def test_a_store_is_one_file(name: str):
    assert [path.name for path in STORES.glob(f"{name}.db*")] == [f"{name}.db"]


def test_lanes_begin_with_the_numbers_they_began_with(instruction_set: str, tmp_path: Path):
    """The first step only: later ones differ more between processors (make.py --check)."""
    trainings.lanes(tmp_path / "now.db", ARMS)
    assert_begins_alike(copied("lanes", tmp_path), tmp_path / "now.db")


def test_pytorch_begins_with_the_numbers_it_began_with(tmp_path: Path):
    trainings.torch_(tmp_path / "now.db", ARMS)
    assert_begins_alike(copied("torch", tmp_path), tmp_path / "now.db")


def test_an_interrupted_study_goes_on_where_it_stopped(tmp_path: Path):
    """The finished arm is not trained again, and the other two become what they would have."""
    path = copied("interrupted", tmp_path)
    finished = trainings.resumed(path)
    assert finished == {"relu": 0, "leaky-relu": 2, "tanh": 2}
    with ut.open(path) as store:
        assert [run.state for run in store.runs()] == ["finished"] * 3
    before = expected("holds-interrupted")["traces"]
    run = run_ids(path)["relu"]
    found = differences(before[run], holdings.trace(traced(path, "relu")))
    assert not found, told(found)


@pytest.mark.parametrize("name", ["lanes", "torch"])
def test_the_comparison_of_a_first_step_can_fail(name: str, tmp_path: Path):
    trace = traced(copied(name, tmp_path), "relu")
    changed = trace.dataset.copy(deep=True)
    changed["grad_norm"][0, 0, 0] *= 1 + 10 * FIRST_STEP
    with pytest.raises(AssertionError, match="grad_norm"):
        assert_first_step(trace, Trace(changed, trace.events, trace.artefacts))


def traced(path: Path, arm: str) -> Trace:
    with ut.open(path) as store:
        return store.trace(run_ids(path)[arm])


def assert_begins_alike(before: Path, now: Path) -> None:
    for arm in ARMS:
        assert run_ids(before)[arm] == run_ids(now)[arm]
        assert_first_step(traced(before, arm), traced(now, arm))


def assert_first_step(before: Trace, now: Trace) -> None:
    """Hold the shapes of two traces to each other, and the numbers of their first step."""
    assert before.dataset.sizes == now.dataset.sizes
    assert list(before.dataset) == list(now.dataset)
    for name in COMPARED:
        one, other = (each.dataset[name].isel(step=0).values for each in (before, now))
        np.testing.assert_allclose(other, one, FIRST_STEP, err_msg=name)
