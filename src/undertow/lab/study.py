"""Arms x replicates become runs in a store; what is there already is not trained again."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from undertow.errors import SpecError
from undertow.lab import engine
from undertow.lab.data import Data
from undertow.lab.experiment import Arm, Experiment
from undertow.spec import changed
from undertow.trace.anomalies import anomalies
from undertow.trace.record import Chunk, Trace
from undertow.trace.schema import VERSION
from undertow.trace.store import Store

SHARD = 128  # replicates trained in one pass; larger passes fall out of the processor's cache
LARGEST_SEED = 2**31 - 1  # what NetCDF's integers hold


class Planned(NamedTuple):
    """A run to be: one arm, its seeds, and the key under which the store would know it."""

    experiment: str
    arm: Arm
    seeds: tuple[int, ...]
    key: str

    @property
    def stem(self) -> str:
        """Return the run's id, unless it is taken."""
        return f"{self.experiment}-{self.arm.name}-{self.key[:6]}"

    @property
    def shards(self) -> list[tuple[int, tuple[int, ...]]]:
        """(first replicate, seeds) of each shard."""
        return [
            (first, self.seeds[first : first + SHARD]) for first in range(0, len(self.seeds), SHARD)
        ]


class Progress(NamedTuple):
    """How far a study is; epochs count over all shards of the arm."""

    arm: str
    epochs_done: int
    epochs: int


class Outcome(NamedTuple):
    """An arm's run, and what this call trained of it."""

    arm: str
    run: str
    trace: Trace
    trained: int
    seconds: float


def plan(
    experiment: Experiment,
    data: Data,
    *,
    arms: Sequence[str] = (),
    replicates: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
) -> list[Planned]:
    """Check what is asked for, whole, before anything is trained.

    >>> from undertow.lab.data import load
    >>> from undertow.lab.experiments import experiment
    >>> planned = plan(experiment("moons"), load("moons"), arms=["relu"], replicates=3)
    >>> [(run.arm.name, run.seeds) for run in planned]
    [('relu', (0, 1, 2))]

    Raises
    ------
    UnknownName, SpecError
        An arm that is not there, fewer than one replicate or epoch, or seeds out of range.
    """
    count = experiment.replicates if replicates is None else replicates
    if count < 1:
        raise SpecError(f"replicates = {count}: at least 1, for example --replicates 20")
    if not 0 <= seed <= LARGEST_SEED - count:
        raise SpecError(f"seed = {seed}: 0 to {LARGEST_SEED - count}, for example --seed 0")
    if epochs is not None and epochs < 1:
        raise SpecError(f"epochs = {epochs}: at least 1, for example --epochs 100")
    chosen = [experiment.arm(name) for name in dict.fromkeys(arms)] or list(experiment.arms)
    seeds = tuple(range(seed, seed + count))
    planned = []
    for arm in chosen:
        if epochs is not None:
            arm = arm._replace(training=changed(arm.training, epochs=epochs))
        planned.append(Planned(experiment.name, arm, seeds, _key(experiment, arm, data, seeds)))
    return planned


def run(
    planned: Planned,
    data: Data,
    store: Store,
    *,
    fresh: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Outcome:
    """Train what is not yet in the store, and read the whole run back.

    An interruption of any kind leaves the run in the store, listed as interrupted.
    """
    known = None if fresh else store.latest(planned.key)
    if known and known.state == "finished":
        return Outcome(planned.arm.name, known.id, store.trace(known.id), 0, 0.0)
    name = known.id if known else store.new_id(planned.stem)
    arm = planned.arm
    header = engine.header(
        arm.network,
        arm.training,
        data,
        planned.seeds,
        experiment=planned.experiment,
        arm=arm.name,
        note=arm.note,
    )
    began, trained = time.perf_counter(), 0
    writer = store.begin(name, planned.key, f"{planned.experiment} {arm.name}", header)
    epochs = arm.training.epochs * len(planned.shards)
    try:
        finished = store.finished_shards(name)
        done = arm.training.epochs * len(finished)
        for first, seeds in planned.shards:
            if first in finished:
                continue

            def receive(chunk: Chunk, first: int = first) -> None:
                nonlocal done
                writer.append(first, chunk)
                done += 1
                progress(Progress(arm.name, done, epochs))

            start = time.perf_counter()
            artefacts = engine.train(arm.network, arm.training, data, seeds, receive)
            writer.finish_shard(first, len(seeds), time.perf_counter() - start, artefacts)
            trained += len(seeds)
        trace = store.trace(name)
        events = anomalies(trace)
        writer.finish("finished", events)
    except BaseException:
        writer.abandon()
        raise
    trace = Trace(trace.dataset, events, trace.artefacts)
    return Outcome(arm.name, name, trace, trained, time.perf_counter() - began)


def _key(experiment: Experiment, arm: Arm, data: Data, seeds: tuple[int, ...]) -> str:
    """Hash of all that determines a run's numbers."""
    content = {
        "experiment": experiment.name,
        "network": arm.network.model_dump(mode="json"),
        "training": arm.training.model_dump(mode="json"),
        "data": _digest(data),
        "seeds": seeds,
        "schema": VERSION,
        "arm": arm.name,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _digest(data: Data) -> str:
    found = hashlib.sha256()
    for part in (data.train_inputs, data.train_targets, data.test_inputs, data.test_targets):
        found.update(part.tobytes())
    return found.hexdigest()
