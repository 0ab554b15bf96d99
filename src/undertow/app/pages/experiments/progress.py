"""How far a store is with a study, whoever trains it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from undertow.app.pages.experiments.url import PlannedStudy
from undertow.errors import StoreMissing
from undertow.studies.study import Planned
from undertow.trace.store import tail
from undertow.trace.store.reader import Store
from undertow.trace.store.reader import open as open_store

NOT_BEGUN = "not begun"


class ArmNow(NamedTuple):
    """An arm: its run, empty before it begins, its state, and the share of its steps taken."""

    arm: str
    run: str
    state: str
    share: float


def progress(path: str, plan: PlannedStudy) -> list[ArmNow]:
    """Return every arm of a study as the store has it; a store that is not there has none."""
    try:
        with open_store(path) as store:
            return [
                _arm(store, run, steps) for run, steps in zip(plan.runs, plan.steps, strict=True)
            ]
    except StoreMissing:
        return [ArmNow(run.arm.name, "", NOT_BEGUN, 0.0) for run in plan.runs]


def _arm(store: Store, planned: Planned, steps: int) -> ArmNow:
    run = store.latest(planned.key)
    if run is None:
        return ArmNow(planned.arm.name, "", NOT_BEGUN, 0.0)
    finished = set(store.finished_shards(run.id))
    begun = tail.shards(store, run.id)
    parts: Sequence[float] = [
        1.0 if first in finished else min(begun.get(first, 0) / steps, 1.0)
        for first, _ in planned.shards
    ]
    share = 1.0 if run.state == "finished" else sum(parts) / len(parts)
    return ArmNow(planned.arm.name, run.id, run.state, share)
