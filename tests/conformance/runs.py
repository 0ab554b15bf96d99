"""A case trained from one seed, watched or not: two runs differ in nothing but who looks on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import nn

from tests.conformance.architectures import Case, Optimizers
from tests.conformance.inspection import modes_of, random_states, seed_everything

STEPS = 30

Watch = Callable[..., AbstractContextManager[Any]]


class Run(NamedTuple):
    """What is left of a run, and what was seen on the way."""

    model: nn.Module
    optimizers: Optimizers
    random_states: dict[str, object]
    modes: list[dict[str, object]]
    losses: list[float]
    trace: Any


@contextmanager
def unwatched(*_: Any, **__: Any) -> Iterator[Any]:
    """Stand where a watcher would."""
    yield SimpleNamespace(log=lambda **_: None, trace=lambda: None)


def run(watch: Watch, case: Case, every: int | str = 1, dtype: torch.dtype = torch.float32) -> Run:
    """Train a case while it is watched."""
    return _run(watch, case, every, dtype, steps_of(case, every))


def twin(case: Case, every: int | str = 1) -> Run:
    """Train a case as long as `run` does, with nobody watching."""
    return _run(unwatched, case, 1, torch.float32, steps_of(case, every))


def steps_of(case: Case, every: int | str) -> int:
    return case.dense if every == 1 else STEPS


@cache  # several promises look at one run
def _run(watch: Watch, case: Case, every: int | str, dtype: torch.dtype, steps: int) -> Run:
    modes, losses = [], []
    with begun(case, dtype) as (model, optimizers):

        def log(*, loss: torch.Tensor | float) -> None:
            losses.append(number_of(loss))
            w.log(loss=loss)

        with watch(model, given(optimizers), every=every) as w:
            for number in range(1, steps + 1):
                case.step(model, optimizers, number, log)
                modes.append(modes_of(model))
        drawn = random_states()
    return Run(model, optimizers, drawn, modes, losses, w.trace())


@contextmanager
def begun(case: Case, dtype: torch.dtype = torch.float32) -> Iterator[tuple[nn.Module, Optimizers]]:
    """Build a case from seed 0, to be trained on one thread: more slow small networks down."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seed_everything()
        model, optimizers = case.build()
        yield model.to(dtype), optimizers
    finally:
        torch.set_num_threads(threads)


def given(optimizers: Optimizers) -> Any:
    """Return what a user hands over: the one optimizer, or the list of several."""
    return optimizers if len(optimizers) > 1 else optimizers[0]


def number_of(loss: torch.Tensor | float) -> float:
    return loss.item() if isinstance(loss, torch.Tensor) else loss
