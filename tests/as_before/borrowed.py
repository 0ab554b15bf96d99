"""What is borrowed from other folders, whose files will be named otherwise: in one place."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kept import REPOSITORY


def zoo_cases() -> dict[str, Any]:
    """Return every case of the zoo by its name."""
    _on_the_path("bench")
    from zoo_cases import cases  # pyright: ignore[reportMissingImports]

    return {each.name: each for each in cases()}


def zoo_judge() -> Callable[[Any, int, Path], Any]:
    """Return what trains a seed of a case into a store and diagnoses it."""
    _on_the_path("bench")
    import undertow as ut
    from zoo_report import judged  # pyright: ignore[reportMissingImports]
    from zoo_runs import predicted, run  # pyright: ignore[reportMissingImports]

    def judge(case: Any, seed: int, path: Path) -> Any:
        outcome = run(case, seed, path)
        with ut.open(path) as store:
            trace = store.trace(outcome.run)
        return judged(case, seed, trace, predicted(case, seed) if case.predicted else None)

    return judge


def six_nets() -> tuple[list[str], Callable[[str], Any]]:
    """Return the names of the six nets of docs/peers.md, and what trains and diagnoses one."""
    _on_the_path("tests", "diagnosis")
    from test_six_nets import NETS, diagnosed  # pyright: ignore[reportMissingImports]

    return list(NETS), diagnosed


def _on_the_path(*folders: str) -> None:
    folder = str(REPOSITORY.joinpath(*folders))
    if folder not in sys.path:
        sys.path.append(folder)
