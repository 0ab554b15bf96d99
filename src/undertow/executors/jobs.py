"""What is trained in one pass: a shard of one arm, or shards of arms whose networks have one shape.

Arms that differ in their first weights only are replicates of one batch; their numbers are those
they have alone, to float32 round-off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from undertow.data.dataset import Data
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.trace.record import Chunk
from undertow.trace.schema import ARTEFACTS, VARIABLES

TOGETHER = 128  # networks in one pass; larger passes fall out of the processor's cache
TOGETHER_PARAMETERS = 5_000_000  # of arms in one pass, so that every core gets a share of a study


class Part(NamedTuple):
    """One shard of one run; `run` and `first` say where it belongs."""

    run: int
    first: int
    network: NetworkSpec
    seeds: tuple[int, ...]


class Shard(NamedTuple):
    """What a shard leaves when it is whole."""

    artefacts: dict[str, np.ndarray]
    seconds: float


class Job(NamedTuple):
    """Shards to train in one pass."""

    parts: tuple[Part, ...]
    training: TrainingSpec
    every: int = 1
    engine: str = "auto"

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

    def shares(self, result: Chunk | Shard) -> Iterator[tuple[Part, Chunk | Shard]]:
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


def join_jobs(tasks: Iterable[Job]) -> list[Job]:
    """Let tasks of one shape and one training share a pass, as far as there is room.

    Only shards that begin at the same replicate are joined: they finish together, so that what an
    interruption leaves is joined in the same way again.
    """
    passes: list[Job] = []
    latest: dict[tuple[object, ...], int] = {}
    for task in tasks:
        first = task.parts[0].first
        kind = (shape(task.network), task.training, task.every, task.engine, first)
        place = latest.get(kind)
        if place is not None and _fits(passes[place], task):
            passes[place] = passes[place]._replace(parts=passes[place].parts + task.parts)
        else:
            latest[kind] = len(passes)
            passes.append(task)
    return passes


def side_by_side(results: Sequence[Chunk | Shard]) -> Chunk | Shard:
    """Join what networks brought that were trained each by itself, in the order of their seeds.

    >>> one, other = (Shard({"decision_grid": np.ones((1, 60, 60))}, 2.0) for _ in range(2))
    >>> side_by_side([one, other]).artefacts["decision_grid"].shape
    (2, 60, 60)
    """
    first = results[0]
    if isinstance(first, Shard):
        dims = {name: artefact.dims for name, artefact in ARTEFACTS.items()}
        shards = [each for each in results if isinstance(each, Shard)]
        artefacts = _join_arrays([each.artefacts for each in shards], dims)
        return Shard(artefacts, sum(each.seconds for each in shards))
    dims = {name: variable.dims for name, variable in VARIABLES.items()}
    chunks = [each for each in results if isinstance(each, Chunk)]
    return Chunk(first.steps, first.epochs, _join_arrays([each.arrays for each in chunks], dims))


def _fits(one: Job, other: Job) -> bool:
    networks = len(one.seeds) + len(other.seeds)
    return networks <= min(TOGETHER, TOGETHER_PARAMETERS // one.network.parameters)


def _rows(result: Chunk | Shard, rows: slice, share: float) -> Chunk | Shard:
    if share == 1:
        return result
    if isinstance(result, Shard):
        artefacts = {
            name: _along(array, ARTEFACTS[name].dims, rows)
            for name, array in result.artefacts.items()
        }
        return Shard(artefacts, result.seconds * share)
    arrays = {
        name: _along(array, VARIABLES[name].dims, rows) for name, array in result.arrays.items()
    }
    return Chunk(result.steps, result.epochs, arrays)


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
