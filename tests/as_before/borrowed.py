"""What is borrowed from other folders, whose files will be named otherwise: in one place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def zoo_cases() -> dict[str, Any]:
    """Return every case of the zoo by its name."""
    from bench.zoo.cases import cases

    return {each.name: each for each in cases()}


def zoo_judge() -> Callable[[Any, int, Path], Any]:
    """Return what trains a seed of a case into a store and diagnoses it."""
    import undertow as ut
    from bench.zoo.report import judged
    from bench.zoo.runs import predicted, run

    def judge(case: Any, seed: int, path: Path) -> Any:
        outcome = run(case, seed, path)
        with ut.open(path) as store:
            trace = store.trace(outcome.run)
        return judged(case, seed, trace, predicted(case, seed) if case.predicted else None)

    return judge


def six_nets() -> tuple[list[str], Callable[[str], Any]]:
    """Return the names of the six nets of docs/peers.md, and what trains and diagnoses one."""
    from tests.diagnosis.test_six_nets import NETS, diagnosed

    return list(NETS), diagnosed
