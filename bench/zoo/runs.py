"""Training of the zoo: what a case is, one run of it, and a cache of runs that goes on."""

from __future__ import annotations

import hashlib
import inspect
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import undertow as ut
from bench.zoo import nets as zoo_nets
from bench.zoo.faults import Fault
from bench.zoo.nets import OPTIMIZERS, Recipe, batches, data, model

HEALTHY_SEEDS = tuple(range(8))
BROKEN_SEEDS = tuple(range(3))
LAST = 20  # steps whose mean training accuracy counts
BAR = 0.7  # of the way from chance to 1 that a healthy run has to come
WORSE = 0.15  # that a fault has to take off the accuracy of the same seed


@dataclass(frozen=True, eq=False)
class Case:
    """A healthy base and one planted fault; without a fault the base itself.

    `layers` are the names one of which the root cause has to name first; None where the fault lies
    in no layer.
    """

    base: Recipe
    fault: Fault | None = None
    label: str = ""
    code: str = ""
    accepted: frozenset[str] = frozenset()
    layers: frozenset[str] | None = None
    predicted: bool = False

    @property
    def name(self) -> str:
        return f"{self.base.name}/{self.label}" if self.fault else self.base.name

    @property
    def recipe(self) -> Recipe:
        return replace(self.base, **self.fault.recipe) if self.fault else self.base

    @property
    def seeds(self) -> tuple[int, ...]:
        return BROKEN_SEEDS if self.fault else HEALTHY_SEEDS

    @property
    def is_held_out(self) -> bool:
        return hashlib.sha256(self.name.encode()).digest()[0] % 2 == 1

    @property
    def fingerprint(self) -> str:
        """Tell whether a cached run is of the case as it is now."""
        words = f"{self.base!r}{self.fault.source if self.fault else ''}{CODE}"
        return hashlib.sha256(words.encode()).hexdigest()[:16]

    @property
    def bar(self) -> float:
        chance = 1 / data(self.base.data).classes
        return chance + BAR * (1 - chance)


class Outcome(NamedTuple):
    """How one run went; `run` is its id in the store."""

    seed: int
    run: str
    accuracy: float
    finite: bool
    seconds: float


def prepared(case: Case, seed: int) -> nn.Module:
    """Make the model of a case, the fault in it."""
    torch.manual_seed(seed)
    made = model(case.recipe)
    if case.fault and case.fault.model:
        made = case.fault.model(made) or made
    return made


def fed(case: Case, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches of a case, the fault in them."""
    for step, (inputs, labels) in enumerate(batches(case.recipe, seed), 1):
        if case.fault and case.fault.inputs:
            inputs = case.fault.inputs(inputs, step)
        yield inputs, labels


def loss_of(case: Case) -> Callable[[Tensor, Tensor, int], Tensor]:
    if case.fault and case.fault.loss:
        return case.fault.loss
    return lambda outputs, labels, step: cross_entropy(outputs, labels)


def run(case: Case, seed: int, store: Path) -> Outcome:
    """Train one seed, watched at every step."""
    begun = time.perf_counter()
    made, recipe, loss_fn = prepared(case, seed), case.recipe, loss_of(case)
    chosen = case.fault and case.fault.trained
    parameters = chosen(made) if chosen else list(made.parameters())
    optimizer = OPTIMIZERS[recipe.optimizer](parameters, lr=recipe.lr)
    accuracies, losses, name = [], [], f"seed-{seed}"
    with ut.watch(made, optimizer, store=store, name=name, every=1) as watch:
        for step, (inputs, labels) in zip(
            range(1, recipe.steps + 1), fed(case, seed), strict=False
        ):
            optimizer.zero_grad()
            outputs = made(inputs)
            loss = loss_fn(outputs, labels, step)
            loss.backward()
            optimizer.step()
            watch.log(loss=loss)
            accuracies.append((outputs.argmax(1) == labels).float().mean().item())
            losses.append(loss.item())
    finite = bool(np.isfinite(losses).all())
    accuracy = float(np.mean(accuracies[-LAST:]))
    return Outcome(seed, name, accuracy, finite, time.perf_counter() - begun)


CODE = inspect.getsource(zoo_nets) + inspect.getsource(run)  # as it was when it was imported


def predicted(case: Case, seed: int) -> ut.Trace:
    """Return the theory's gradients of the untrained model on its first batch."""
    inputs, labels = next(fed(case, seed))
    return ut.predict(prepared(case, seed), inputs, targets=labels)


class Cache:
    """A folder with a store and a document a case."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def store(self, case: Case) -> Path:
        return self.folder / f"{case.name.replace('/', '--')}.db"

    def outcomes(self, case: Case) -> list[Outcome] | None:
        """Return the runs of a case; None where they are missing or of another version of it."""
        path = self.store(case).with_suffix(".json")
        if not path.exists():
            return None
        kept = json.loads(path.read_text())
        if kept["fingerprint"] != case.fingerprint:
            return None
        return [Outcome(**each) for each in kept["runs"]]

    def traces(self, case: Case) -> Iterator[tuple[int, ut.Trace]]:
        """Yield (seed, trace)."""
        with ut.open(self.store(case)) as store:
            for outcome in self.outcomes(case) or ():
                yield outcome.seed, store.trace(outcome.run)

    def make(self, case: Case) -> float:
        """Train all seeds of a case; return the seconds that took."""
        path = self.store(case)
        for old in self.folder.glob(f"{path.stem}.*"):
            if old.name.removeprefix(path.stem) in (".json", ".db", ".db-wal", ".db-shm"):
                old.unlink()
        found = [run(case, seed, path) for seed in case.seeds]
        content = {
            "name": case.name,
            "fingerprint": case.fingerprint,
            "watcher": watcher(),
            "runs": [each._asdict() for each in found],
        }
        part = path.with_suffix(".part")
        part.write_text(json.dumps(content, indent=1))
        part.rename(path.with_suffix(".json"))
        return sum(each.seconds for each in found)

    def is_stale(self, case: Case) -> bool:
        """Tell whether another version of the watcher made the runs of a case."""
        path = self.store(case).with_suffix(".json")
        return json.loads(path.read_text())["watcher"] != watcher()


@cache
def watcher() -> str:
    """Return a digest of the code that measures."""
    folder = Path(ut.__file__).parent / "watching"
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def make(folder: Path, cases: Iterable[Case], workers: int) -> None:
    """Train what the cache lacks, and say how it goes."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = Cache(folder)
    missing = [case for case in cases if kept.outcomes(case) is None]
    print(f"{len(missing)} cases to train, {workers} at a time", flush=True)
    begun = time.perf_counter()
    with ProcessPoolExecutor(workers, get_context("spawn"), begin) as processes:
        jobs = [processes.submit(kept.make, case) for case in missing]
        for number, (case, job) in enumerate(zip(missing, jobs, strict=True), 1):
            seconds = job.result()
            words = " ".join(f"{each.accuracy:.2f}" for each in kept.outcomes(case) or ())
            print(f"{number:>4}  {case.name:<66}{seconds:>6.1f} s  {words}", flush=True)
    print(f"{time.perf_counter() - begun:.0f} s")


def begin() -> None:
    """Set a process up: one thread, no remarks of the watcher's."""
    torch.set_num_threads(1)
    logging.getLogger("undertow").setLevel(logging.ERROR)


class Proof(NamedTuple):
    """What training says of a case: `reason` it is dropped for, empty where it stays."""

    with_fault: list[float]
    without: list[float]
    reason: str


def proved(cache: Cache, case: Case) -> Proof | None:
    """Judge a case by its runs and those of its base with the same seeds; None without them."""
    found = cache.outcomes(case)
    healthy = cache.outcomes(Case(case.base))
    if found is None or healthy is None:
        return None
    without = [each.accuracy for each in healthy[: len(case.seeds)]]
    bad = [each for each in healthy if not each.finite or each.accuracy < case.bar]
    reason = ""
    if bad:
        reason = f"the healthy base does not train: {bad[0].accuracy:.2f}, bar {case.bar:.2f}"
    if not case.fault:
        return Proof([], [each.accuracy for each in healthy], reason)
    close = [
        f"{one.accuracy:.2f} against {other:.2f}"
        for one, other in zip(found, without, strict=True)
        if one.finite and one.accuracy > other - WORSE
    ]
    if not reason and close:
        reason = "the fault hardly hurts: " + ", ".join(close)
    return Proof([each.accuracy for each in found], without, reason)
