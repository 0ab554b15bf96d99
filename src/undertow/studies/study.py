"""Arms x replicates become runs in a store; what is there already is not trained again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, NamedTuple

from undertow.data.dataset import Data
from undertow.engine import choice as engines
from undertow.engine.common.stages import stages
from undertow.engine.engine import EngineName
from undertow.engine.lanes.native_library import library
from undertow.errors import SpecError
from undertow.executors.executor import Executor
from undertow.executors.jobs import TOGETHER, Finished, Job, Part, join_jobs
from undertow.executors.processes import Processes
from undertow.spec.checked import with_changes
from undertow.studies.description import carried
from undertow.studies.expected import predict_arm
from undertow.studies.experiment import Arm, Experiment
from undertow.trace.anomalies import anomalies
from undertow.trace.record import Chunk, Trace
from undertow.trace.schema import VERSION
from undertow.trace.store.reader import Run, Store
from undertow.trace.store.writer import Writer

SHARD = TOGETHER  # replicates of an arm that are trained, and finished, together
MOST = 1_000_000  # replicates of an arm
FRESH = 1_000_000_000  # what a placebo's seeds lie above the others'
LARGEST_SEED = 2**31 - 1  # what NetCDF's integers hold


class Planned(NamedTuple):
    """A run to be: one arm, its seeds, and the key under which the store would know it.

    >>> from undertow.data.dataset import load
    >>> from undertow.experiments import experiment
    >>> moons = load("moons")
    >>> asked = {"arms": ["relu"], "replicates": 1, "epochs": 1, "engine": "torch"}
    >>> planned = plan(experiment("moons"), moons, **asked)
    >>> planned[0].shards, planned[0].engine
    ([(0, (0,))], 'torch')
    """

    experiment: str
    arm: Arm
    seeds: tuple[int, ...]
    key: str
    every: int
    engine: EngineName
    study: Mapping[str, Any]  # what its header carries of the experiment

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

    def job(self, number: int, first: int, seeds: tuple[int, ...]) -> Job:
        """Return the pass that trains a shard; `number` is the run's place in the study."""
        part = Part(number, first, self.arm.network, seeds)
        return Job((part,), self.arm.training, self.engine, self.every)


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


def usual_replicates(experiment: Experiment, engine: str = "auto") -> int:
    """Return how many replicates an arm has where nobody says: more where lanes train them.

    >>> from undertow.experiments import experiment
    >>> usual_replicates(experiment("moons"), engine="torch")
    20
    """
    in_lanes = engine != "torch" and library() is not None
    return (in_lanes and experiment.replicates_in_lanes) or experiment.replicates


def plan(
    experiment: Experiment,
    data: Data,
    *,
    arms: Sequence[str] = (),
    replicates: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    engine: str = "auto",
) -> list[Planned]:
    """Check what is asked for, whole, before anything is trained.

    >>> from undertow.data.dataset import load
    >>> from undertow.experiments import experiment
    >>> planned = plan(experiment("moons"), load("moons"), arms=["relu"], replicates=3)
    >>> [(run.arm.name, run.seeds) for run in planned]
    [('relu', (0, 1, 2))]

    Raises
    ------
    UnknownName, SpecError
        An arm that is not there, fewer than one replicate or epoch, seeds out of range, or an
        engine that does not train an arm.
    """
    count = usual_replicates(experiment, engine) if replicates is None else replicates
    if count < 1:
        raise SpecError(f"replicates = {count}: at least 1, for example --replicates 20")
    if count > MOST:
        raise SpecError(f"replicates = {count}: at most {MOST:,}, for example --replicates 20")
    chosen = [experiment.arm(name) for name in dict.fromkeys(arms)] or list(experiment.arms)
    largest = LARGEST_SEED - count - FRESH * any(arm.placebo for arm in chosen)
    if not 0 <= seed <= largest:
        raise SpecError(f"seed = {seed}: 0 to {largest}, for example --seed 0")
    if epochs is not None and epochs < 1:
        raise SpecError(f"epochs = {epochs}: at least 1, for example --epochs 100")
    planned = []
    for arm in chosen:
        if epochs is not None:
            arm = arm._replace(training=with_changes(arm.training, epochs=epochs))
        stages(arm.network, arm.training)  # refuses what cannot be
        first = seed + FRESH * arm.placebo
        seeds = tuple(range(first, first + count))
        used = engines.choose_engine(arm.network, count, engine)
        key = _key(experiment, arm, data, seeds, used)
        planned.append(
            Planned(experiment.name, arm, seeds, key, experiment.every, used, carried(experiment))
        )
    return planned


def run(
    planned: Sequence[Planned],
    data: Data,
    store: Store,
    *,
    fresh: bool = False,
    workers: int | None = None,
    executor: Executor | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> list[Outcome]:
    """Train what is not yet in the store, and return every run.

    >>> import tempfile
    >>> from undertow.data.dataset import load
    >>> from undertow.experiments import experiment
    >>> from undertow.trace.store.reader import open as open_store
    >>> moons = load("moons")
    >>> asked = {"arms": ["relu"], "replicates": 1, "epochs": 1, "engine": "torch"}
    >>> planned = plan(experiment("moons"), moons, **asked)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open_store(f"{folder}/runs.db", create=True) as store:
    ...         first = run(planned, moons, store, workers=1)
    ...         again = run(planned, moons, store, workers=1)
    >>> [(each.arm, each.trained) for each in (*first, *again)]
    [('relu', 1), ('relu', 0)]

    An interruption of any kind leaves what was trained in the store, listed as interrupted. By
    default so many `workers` train, processes of this machine; another executor has its own.
    """
    under_way = _under_way(planned, store, fresh)
    jobs, whole = _jobs(under_way), _passes((each, each.shards) for each in planned)
    executor = executor or Processes(workers, of=whole)
    try:
        for each in under_way:
            each.close_if_whole(data)
        with closing(executor.run(jobs, data)) as results:
            for job, result in results:
                match result:
                    case Chunk():
                        _keep_epoch(under_way, job, result, data, progress)
                    case Finished():
                        _keep_end(under_way, job, result, data, store)
    except BaseException:
        for each in under_way:
            each.abandon()
        raise
    return [each.outcome() for each in under_way]


def _keep_epoch(
    under_way: Sequence[_UnderWay],
    job: Job,
    chunk: Chunk,
    data: Data,
    progress: Callable[[Progress], None],
) -> None:
    """Give each run its share of an epoch."""
    for part, share in job.shares(chunk):
        each = under_way[part.run]
        each.take_epoch(part, share, data)
        progress(Progress(each.planned.arm.name, each.epochs_done, each.epochs))


def _keep_end(
    under_way: Sequence[_UnderWay], job: Job, end: Finished, data: Data, store: Store
) -> None:
    """Finish the shards of a job, all or none: one that lacks an epoch is trained again."""
    shares = [(under_way[part.run], part, share) for part, share in job.shares(end)]
    if not all(each.has_every_epoch(part) for each, part, _ in shares):
        return
    for each, _, _ in shares:
        each.flush()  # by itself: what is rolled back below is not written again
    with store.at_once():  # or an interruption between two would join the rest otherwise
        for each, part, share in shares:
            each.keep(part, share)
    for each, part, share in shares:
        each.count(part, share)
        each.close_if_whole(data)


def jobs_left(planned: Sequence[Planned], store: Store, *, fresh: bool = False) -> list[Job]:
    """Return the passes that `run` would train.

    >>> import tempfile
    >>> from undertow.data.dataset import load
    >>> from undertow.experiments import experiment
    >>> from undertow.trace.store.reader import open as open_store
    >>> moons = load("moons")
    >>> asked = {"arms": ["relu"], "replicates": 1, "epochs": 1, "engine": "torch"}
    >>> planned = plan(experiment("moons"), moons, **asked)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open_store(f"{folder}/runs.db", create=True) as store:
    ...         jobs = jobs_left(planned, store)
    >>> [job.seeds for job in jobs]
    [(0,)]
    """
    return _jobs(_under_way(planned, store, fresh))


def _under_way(planned: Sequence[Planned], store: Store, fresh: bool) -> list[_UnderWay]:
    known = [None if fresh else store.latest(each.key) for each in planned]
    return [_UnderWay(each, found, store) for each, found in zip(planned, known, strict=True)]


def _jobs(under_way: Sequence[_UnderWay]) -> list[Job]:
    return _passes((each.planned, each.shards_left) for each in under_way)


def _passes(study: Iterable[tuple[Planned, list[tuple[int, tuple[int, ...]]]]]) -> list[Job]:
    """Return the passes that train these shards of each run."""
    return join_jobs(
        run.job(number, first, seeds)
        for number, (run, shards) in enumerate(study)
        for first, seeds in shards
    )


class _UnderWay:
    """One run on its way into the store."""

    def __init__(self, planned: Planned, known: Run | None, store: Store):
        self.planned, self.store = planned, store
        self.whole = known is not None and known.state == "finished"
        self.run = known.id if known else None
        finished = set(store.finished_shards(known.id)) if known else set()
        self.shards_left = [shard for shard in planned.shards if shard[0] not in finished]
        if self.whole:
            self.shards_left = []
        self.trained, self.seconds = 0, 0.0
        self._a_shard = planned.arm.training.epochs * max(1, len(planned.arm.training.stages))
        self._taken: dict[int, int] = {}  # epochs of each shard on its way
        # Of a run that is taken up again the store alone has what was trained before.
        self._chunks: list[Chunk] | None = None if known else []
        self.epochs = self._a_shard * len(planned.shards)
        self.epochs_done = self._a_shard * len(finished)
        self.trace: Trace | None = None
        self._writer: Writer | None = None

    def take_epoch(self, part: Part, chunk: Chunk, data: Data) -> None:
        self._writer = self._writer or self._begin(data)
        self.epochs_done += 1
        self._writer.append(part.first, chunk)
        self._taken[part.first] = self._taken.get(part.first, 0) + 1
        if self._chunks is not None:
            self._chunks.append(replace(chunk, first_replicate=part.first))

    def flush(self) -> None:
        assert self._writer is not None
        self._writer.flush()

    def has_every_epoch(self, part: Part) -> bool:
        """Tell whether an interruption, between two writes, left no epoch of a shard out."""
        return self._taken.get(part.first) == self._a_shard

    def keep(self, part: Part, end: Finished) -> None:
        """Write a whole shard."""
        assert self._writer is not None
        self._writer.finish_shard(part.first, len(part.seeds), end.seconds, end.artefacts)

    def count(self, part: Part, end: Finished) -> None:
        """Count a shard that the store holds for good."""
        self.trained += len(part.seeds)
        self.seconds += end.seconds
        self.shards_left = [left for left in self.shards_left if left[0] != part.first]

    def close_if_whole(self, data: Data) -> None:
        """Finish a run without a shard left, also one that was killed just before its end."""
        if self.whole or self.shards_left:
            return
        writer = self._writer or self._begin(data)
        trace = self.store.trace(writer.run, chunks=self._chunks)
        self._chunks = None
        events = anomalies(trace)
        writer.finish("finished", events)
        self.trace = Trace(trace.dataset, events, trace.artefacts)
        self._writer, self.whole = None, True

    def abandon(self) -> None:
        if self._writer:
            self._writer.abandon()

    def outcome(self) -> Outcome:
        assert self.run is not None
        trace = self.trace or self.store.trace(self.run)
        return Outcome(self.planned.arm.name, self.run, trace, self.trained, self.seconds)

    def _begin(self, data: Data) -> Writer:
        planned, arm = self.planned, self.planned.arm
        new, self.run = not self.run, self.run or self.store.new_id(planned.stem)
        header = engines.header(
            arm.network,
            arm.training,
            data,
            planned.seeds,
            every=planned.every,
            engine=planned.engine,
            experiment=planned.experiment,
            arm=arm.name,
            note=arm.note,
            study=planned.study,
            # The header of a run that is taken up again is there already.
            predicted=predict_arm(arm.network, arm.training, data) if new else None,
        )
        name = f"{planned.experiment} {arm.name}"
        return self.store.begin(self.run, planned.key, name, header)


def _key(
    experiment: Experiment, arm: Arm, data: Data, seeds: tuple[int, ...], engine: EngineName
) -> str:
    """Hash of all that determines a run's numbers."""
    content = {
        "experiment": experiment.name,
        "network": arm.network.model_dump(mode="json"),
        "training": arm.training.model_dump(mode="json"),
        "data": _digest(data),
        "seeds": seeds,
        "schema": VERSION,
        "engine": engines.VERSIONS[engine],
        "arm": arm.name,
        "every": experiment.every,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _digest(data: Data) -> str:
    found = hashlib.sha256()
    for part in (data.train_inputs, data.train_targets, data.test_inputs, data.test_targets):
        found.update(part.tobytes())
    return found.hexdigest()
