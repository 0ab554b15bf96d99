"""What is trained in one pass: a shard of one arm, or shards of arms whose networks have one shape.

Arms that differ in their first weights only are replicates of one batch; their numbers are those
they have alone, to float32 round-off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from undertow.data.dataset import Data
from undertow.engine.engine import EngineName
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.trace.record import Chunk
from undertow.trace.schema import ARTEFACTS, VARIABLES

TOGETHER = 128  # networks in one pass; larger passes fall out of the processor's cache
TOGETHER_PARAMETERS = 5_000_000  # of arms in one pass, so that every core gets a share of a study


class Part(NamedTuple):
    """One shard of one run; `run` and `first` say where it belongs.

    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=3, width=10, activation="tanh")
    >>> Part(run=4, first=128, network=spec, seeds=(128, 129)).seeds
    (128, 129)
    """

    run: int
    first: int
    network: NetworkSpec
    seeds: tuple[int, ...]


class Finished(NamedTuple):
    """The end of a job: what it leaves beside its chunks, and how long it took.

    >>> Finished({"decision_grid": np.ones((1, 60, 60))}, seconds=0.5).seconds
    0.5
    """

    artefacts: dict[str, np.ndarray]
    seconds: float


Result = Chunk | Finished  # all that a job can bring: an epoch, or its end
Brought = TypeVar("Brought", Chunk, Finished)


class Job(NamedTuple):
    """Shards to train in one pass, and the engine that was chosen for them.

    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=3, width=10, activation="tanh")
    >>> parts = Part(0, 0, spec, (0, 1)), Part(1, 0, spec, (0,))
    >>> Job(parts, TrainingSpec(epochs=1), engine="torch").seeds
    (0, 1, 0)
    """

    parts: tuple[Part, ...]
    training: TrainingSpec
    engine: EngineName
    every: int = 1

    @property
    def network(self) -> NetworkSpec:
        """What all parts are, but for their first weights."""
        return self.parts[0].network

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(seed for part in self.parts for seed in part.seeds)

    @property
    def drawn_from(self) -> tuple[NetworkSpec, ...]:
        """Say of each replicate by which specification its first weights are drawn."""
        return tuple(part.network for part in self.parts for _ in part.seeds)

    def steps(self, data: Data) -> int:
        """How many steps the pass takes, over all its stages."""
        an_epoch = -(-len(data.train_targets) // self.training.batch_size)
        return an_epoch * self.training.epochs * max(1, len(self.training.stages))

    def shares(self, result: Brought) -> Iterator[tuple[Part, Brought]]:
        """Give each part its replicates' rows of what the pass brought."""
        start, whole = 0, len(self.seeds)
        for part in self.parts:
            rows = slice(start, start + len(part.seeds))
            start = rows.stop
            yield part, _rows(result, rows, len(part.seeds) / whole)


def shape(network: NetworkSpec) -> NetworkSpec:
    """Leave out of a network how its first weights are drawn.

    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=3, width=10, activation="tanh")
    >>> wide = spec.model_copy(update={"initialisation": "normal(10)"})
    >>> spec == wide, shape(spec) == shape(wide)
    (False, True)
    """
    drawn = {"initialisation": "", "head_initialisation": None, "gain": 1.0}
    return network.model_copy(update=drawn)


def join_jobs(jobs: Iterable[Job]) -> list[Job]:
    """Let jobs of one shape and one training share a pass, as far as there is room.

    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=3, width=10, activation="tanh")
    >>> jobs = [Job((Part(run, 0, spec, (0,)),), TrainingSpec(), "torch") for run in (0, 1)]
    >>> [[part.run for part in job.parts] for job in join_jobs(jobs)]
    [[0, 1]]

    Only shards that begin at the same replicate are joined: they finish together, so that what an
    interruption leaves is joined in the same way again.
    """
    passes: list[Job] = []
    latest: dict[tuple[object, ...], int] = {}
    for job in jobs:
        first = job.parts[0].first
        kind = (shape(job.network), job.training, job.every, job.engine, first)
        place = latest.get(kind)
        if place is not None and _fits(passes[place], job):
            passes[place] = passes[place]._replace(parts=passes[place].parts + job.parts)
        else:
            latest[kind] = len(passes)
            passes.append(job)
    return passes


def join_chunks(chunks: Sequence[Chunk]) -> Chunk:
    """Join an epoch of networks that were trained each by itself, in the order of their seeds."""
    first = chunks[0]
    dims = {name: variable.dims for name, variable in VARIABLES.items()}
    return Chunk(first.steps, first.epochs, _join_arrays([each.arrays for each in chunks], dims))


def join_artefacts(each: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Join what such networks left, in the order of their seeds.

    >>> one, other = ({"decision_grid": np.ones((1, 60, 60))} for _ in range(2))
    >>> join_artefacts([one, other])["decision_grid"].shape
    (2, 60, 60)
    """
    return _join_arrays(each, {name: artefact.dims for name, artefact in ARTEFACTS.items()})


def _fits(one: Job, other: Job) -> bool:
    networks = len(one.seeds) + len(other.seeds)
    return networks <= min(TOGETHER, TOGETHER_PARAMETERS // one.network.parameters)


def _rows(result: Brought, rows: slice, share: float) -> Brought:
    if share == 1:
        return result
    match result:
        case Chunk(steps, epochs, arrays):
            return Chunk(
                steps,
                epochs,
                {name: _along(array, VARIABLES[name].dims, rows) for name, array in arrays.items()},
            )
        case Finished(artefacts, seconds):
            return Finished(
                {
                    name: _along(array, ARTEFACTS[name].dims, rows)
                    for name, array in artefacts.items()
                },
                seconds * share,
            )


def _along(array: np.ndarray, dims: tuple[str, ...], rows: slice) -> np.ndarray:
    if "replicate" not in dims:
        return array
    return array[(slice(None),) * dims.index("replicate") + (rows,)]


def _join_arrays(
    each: Sequence[Mapping[str, np.ndarray]], dims: Mapping[str, tuple[str, ...]]
) -> dict[str, np.ndarray]:
    return {
        name: np.concatenate([arrays[name] for arrays in each], dims[name].index("replicate"))
        if "replicate" in dims[name]
        else array
        for name, array in each[0].items()
    }
