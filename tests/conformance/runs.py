"""A case trained from one seed, watched or not: two runs differ in nothing but who looks on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

from tests.conformance.case import Case, Optimizers
from tests.conformance.world import World

STEPS = 30

Watch = Callable[..., AbstractContextManager[Any]]


class Run(NamedTuple):
    """What is left of a run, and what was seen on the way."""

    model: Any
    optimizers: Optimizers
    random_states: dict[str, object]
    modes: list[dict[str, object]]
    losses: list[float]
    trace: Any


@contextmanager
def unwatched(*_: Any, **__: Any) -> Iterator[Any]:
    """Stand where a watcher would."""
    yield SimpleNamespace(log=lambda **_: None, trace=lambda: None)


def run(world: World, watch: Watch, case: Case, every: int | str = 1, precision: Any = None) -> Run:
    """Train a case while it is watched."""
    return _run(world, watch, case, every, precision or world.PRECISIONS[0], steps_of(case, every))


def twin(world: World, case: Case, every: int | str = 1) -> Run:
    """Train a case as long as `run` does, with nobody watching."""
    return _run(world, unwatched, case, 1, world.PRECISIONS[0], steps_of(case, every))


def steps_of(case: Case, every: int | str) -> int:
    return case.dense if every == 1 else STEPS


@cache  # several promises look at one run
def _run(
    world: World, watch: Watch, case: Case, every: int | str, precision: Any, steps: int
) -> Run:
    modes, losses = [], []
    with world.begun(case, precision) as (model, optimizers):

        def log(*, loss: Any) -> None:
            losses.append(world.number(loss))
            w.log(loss=loss)

        with watch(model, given(optimizers), every=every) as w:
            for number in range(1, steps + 1):
                case.step(model, optimizers, number, log)
                modes.append(world.modes(model))
        drawn = world.random_states()
    return Run(model, optimizers, drawn, modes, losses, w.trace())


def given(optimizers: Optimizers) -> Any:
    """Return what a user hands over: the one optimizer, or the list of several."""
    return optimizers if len(optimizers) > 1 else optimizers[0]
