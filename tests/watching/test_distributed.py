"""Watched in two processes: each layer's norms are those of the whole batch and the whole weight.

Two processes share a model under DistributedDataParallel or `fully_shard`, and each trains on half
of every batch. The truth is what one process writes down by hand, unwatched, for the whole batch.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import undertow as ut
from tests.watching import distributed_program as program

NUMBERS = {
    "ddp": ("ddp", "ddp_in_pieces", "ddp_listed", "ddp_clipped"),
    "fsdp": ("fsdp", "fsdp_in_pieces", "fsdp_listed", "fsdp_clipped", "fsdp_looked", "hybrid"),
}
STEERED = ("_sampled", "_spoilt", "_spoilt_later", "_broken")
Found = dict[tuple[str, int], dict[str, Any]]  # by (case, rank)
NORMS = ("grad_norm", "delta_norm", "weight_norm", "update_norm")
RELATIVE = 1e-5
PATIENCE = 120  # seconds; a program that hangs ends itself before, and says where it hangs


def pair(folder: Path, *names: str) -> Found:
    """Run cases in two processes; return what each of them watched."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, program.__file__, str(rank), "2", str(folder), *names],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        said = [process.communicate(timeout=PATIENCE)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    codes = [process.returncode for process in processes]
    assert codes == [0, 0], "\n".join(said)
    return {(name, rank): read(folder / f"{name}-{rank}.npz") for name in names for rank in (0, 1)}


def read(path: Path) -> dict[str, Any]:
    with np.load(path) as file:
        found = dict(file)
    found["events"] = json.loads(str(found.get("events", "[]")))
    return found


@cache
def truth(case: str) -> dict[str, np.ndarray]:
    return program.train(program.CASES[case], watched=False)[1]


def compare(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found["step"].tolist() == expected["step"].tolist()
    assert set(found["layer"]) == set(expected["layer"])
    order = [found["layer"].tolist().index(name) for name in expected["layer"]]
    # What is applied to a weight is rounded to the weight's own grid.
    grid = np.finfo(np.float32).eps * expected["weight_norm"].max()
    for name in NORMS:
        least = grid if name == "update_norm" else 0
        np.testing.assert_allclose(
            found[name][:, order], expected[name], rtol=RELATIVE, atol=least, err_msg=name
        )


def runs(path: Path) -> list[str]:
    with ut.open(path) as store:
        assert all(run.state == "finished" for run in store.runs())
        return [run.id for run in store.runs()]


def kinds(found: dict[str, Any]) -> set[str]:
    return {kind for kind, *_ in found["events"]}


def test_one_process_is_right() -> None:
    w, _ = program.train(program.CASES["alone"], watched=True)
    compare(program.numbers(w.trace()), truth("alone"))


@pytest.fixture(scope="module", params=["ddp", "fsdp"])
def wrapper(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def measured(wrapper: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Found]:
    """The folder of two processes, and what each of them watched in each training."""
    folder = tmp_path_factory.mktemp(wrapper)
    return folder, pair(folder, *NUMBERS[wrapper])


@pytest.fixture(scope="module")
def sampled(wrapper: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Found]:
    folder = tmp_path_factory.mktemp(wrapper)
    return folder, pair(folder, *(wrapper + each for each in STEERED))


def test_two_processes_see_what_one_sees(wrapper: str, measured: Any) -> None:
    _, found = measured
    for name in NUMBERS[wrapper]:
        if not program.CASES[name].clipped:
            compare(found[name, 0], truth("alone"))


def test_what_one_process_holds_is_another_number(wrapper: str, measured: Any) -> None:
    folder, found = measured
    share = read(folder / f"{wrapper}-0-by-hand.npz")
    for name in {"ddp": ("delta_norm",), "fsdp": NORMS}[wrapper]:
        with pytest.raises(AssertionError, match=name):
            compare({**found[wrapper, 0], name: share[name]}, truth("alone"))


def test_gradients_are_those_before_clipping(wrapper: str, measured: Any) -> None:
    _, found = measured
    clipped = found[f"{wrapper}_clipped", 0]
    compare(clipped, truth("alone_clipped"))
    events = [step for kind, step, *_ in clipped["events"] if kind == "clipped"]
    assert events == clipped["step"].tolist()
    assert "clipped" not in kinds(found[wrapper, 0])


def test_the_first_process_alone_writes(wrapper: str, measured: Any, sampled: Any) -> None:
    folder, _ = measured
    assert runs(folder / "runs.db") == [*NUMBERS[wrapper]]  # the one store that both were given
    with ut.open(folder / "runs.db") as store:
        compare(program.numbers(store.trace(wrapper)), truth("alone"))
    folder, _ = sampled
    assert runs(folder / "runs-0.db") == [f"{wrapper}_sampled", f"{wrapper}_spoilt_later"]
    assert not (folder / "runs-1.db").exists()


def test_the_first_process_decides_which_steps_are_recorded(wrapper: str, sampled: Any) -> None:
    _, found = sampled
    name = f"{wrapper}_sampled"
    steps = found[name, 0]["step"].tolist()
    assert steps[:10] == list(range(1, 11))
    assert len(steps) < program.CASES[name].steps
    assert found[name, 1]["step"].tolist() == steps


def test_a_loss_that_is_not_finite_in_one_process_stops_none(wrapper: str, sampled: Any) -> None:
    _, found = sampled
    name = f"{wrapper}_spoilt"
    first = found[name, 0]
    at = program.CASES[name].spoilt - 1
    assert first["step"][at] == program.CASES[name].spoilt
    assert (first["nonfinite"][:at] == 0).all()
    assert (first["nonfinite"][at] > 0).all()
    assert not np.isfinite(first["grad_norm"][at]).any()
    assert "nonfinite" in kinds(first)
    for each in (name, f"{name}_later"):  # nor do the two part
        assert found[each, 1]["step"].tolist() == found[each, 0]["step"].tolist()


def test_a_process_that_cannot_measure_stops_none(wrapper: str, sampled: Any) -> None:
    _, found = sampled
    first, expected = found[f"{wrapper}_broken", 0], truth("alone")
    order = [first["layer"].tolist().index(name) for name in expected["layer"]]
    assert first["step"].tolist()[:2] == [1, 2]
    for name in NORMS:  # what lacks the other's share is absent, never given as the whole
        there = first[name][:, order]
        right = expected[name][first["step"] - 1]
        assert np.isfinite(there[:2]).all()
        known = np.isfinite(there)
        np.testing.assert_allclose(there[known], right[known], rtol=RELATIVE, err_msg=name)
