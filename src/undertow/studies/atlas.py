"""The trainability map: networks over a grid of depth and weight variance, and which of them train.

A row of the map, one depth, is a run of the store: its networks have one shape and share a pass,
each with first weights of its own cell's variance. What is in the store is not trained again.

The map is that of Schoenholz et al. (2017), doi:10.48550/arXiv.1611.01232, by training small
networks on two moons instead of wide ones on MNIST.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np

from undertow.data.dataset import Data
from undertow.engine import choice
from undertow.engine.engine import EngineName
from undertow.errors import SpecError, UnknownName
from undertow.executors.executor import Executor
from undertow.executors.here import Here
from undertow.executors.jobs import Finished, Job, Part
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.theory.signal.critical import critical
from undertow.trace import readings
from undertow.trace.record import Chunk, Trace
from undertow.trace.schema import VERSION
from undertow.trace.store.reader import Store
from undertow.trace.store.writer import Writer

EXPERIMENT, DATA = "atlas", "moons"
# Bias variances at which each has a critical weight variance: the map is drawn around it.
BIAS_VARIANCE = {"tanh": 0.05, "sigmoid": 0.05, "relu": 0.0}
DEPTHS = tuple(range(2, 52, 2))
REACH = 4.0  # times, and a part of, the critical weight variance
VARIANCES = 20
NETWORKS, MOST = 10_000, 1_000_000
WIDTH = 20
TRAINING = TrainingSpec(optimizer="keras_adam", learning_rate=0.001, epochs=40, batch_size=32)
SPARSE = 10**9  # of the steps only the first ten and the last of each epoch are recorded
KEPT = ("loss", "accuracy", "test_loss", "test_accuracy", "predicted_share")


class AtlasRow(NamedTuple):
    """One depth of the map: a network of each variance and seed, `replicates` seeds a cell."""

    activation: str
    bias_variance: float
    depth: int
    variances: tuple[float, ...]
    replicates: int
    engine: EngineName

    @property
    def networks(self) -> list[NetworkSpec]:
        """The network of each cell."""
        return [
            _network(self.activation, self.depth, variance, self.bias_variance)
            for variance in self.variances
        ]

    @property
    def seeds(self) -> list[int]:
        """The same seeds in every cell."""
        return list(range(self.replicates)) * len(self.variances)

    def job(self, training: TrainingSpec) -> Job:
        """Return the pass that trains the row, a part a cell."""
        seeds = tuple(range(self.replicates))
        parts = tuple(
            Part(0, cell * self.replicates, network, seeds)
            for cell, network in enumerate(self.networks)
        )
        return Job(parts, training, self.engine, SPARSE)


class AtlasCell(NamedTuple):
    """A cell of the map; `trained_fraction` of its `replicates` networks have trained."""

    depth: int
    weight_variance: float
    replicates: int
    trained_fraction: float


def plan(activation: str, networks: int = NETWORKS) -> list[AtlasRow]:
    """Lay out a map of at least so many networks.

    >>> rows = plan("tanh", networks=1000)
    >>> len(rows), rows[0].depth, rows[-1].depth, len(rows[0].variances), rows[0].replicates
    (25, 2, 50, 20, 2)

    Raises
    ------
    UnknownName, SpecError
        An activation without a map, or too few or too many networks.
    """
    if activation not in BIAS_VARIANCE:
        raise UnknownName("activation with a map", activation, BIAS_VARIANCE)
    if not 1 <= networks <= MOST:
        raise SpecError(f"networks = {networks}: 1 to {MOST:,}, for example --networks {NETWORKS}")
    bias = BIAS_VARIANCE[activation]
    middle = critical(activation, bias).weight_variance
    variances = tuple(
        float(f"{middle * factor:.6g}") for factor in np.geomspace(1 / REACH, REACH, VARIANCES)
    )
    replicates = -(-networks // (len(DEPTHS) * VARIANCES))

    def row(depth: int) -> AtlasRow:
        first = _network(activation, depth, variances[0], bias)
        engine = choice.choose_engine(first, replicates * VARIANCES)
        return AtlasRow(activation, bias, depth, variances, replicates, engine)

    return [row(depth) for depth in DEPTHS]


def _network(activation: str, depth: int, variance: float, bias_variance: float) -> NetworkSpec:
    return NetworkSpec(
        inputs=2,
        outputs=1,
        depth=depth,
        width=WIDTH,
        activation=activation,
        initialisation=f"scaled_normal({variance:.10g}, {bias_variance:g})",
    )


def run(
    rows: list[AtlasRow],
    data: Data,
    store: Store,
    *,
    fresh: bool = False,
    training: TrainingSpec = TRAINING,
    executor: Executor | None = None,
    progress: Callable[[AtlasRow, int], None] = lambda _row, _networks: None,
) -> list[AtlasCell]:
    """Train what the store lacks, row by row, and return the map.

    >>> import tempfile
    >>> from undertow.data.dataset import load
    >>> from undertow.trace.store.reader import open as open_store
    >>> row = AtlasRow("tanh", 0.05, depth=2, variances=(1.0, 2.0), replicates=1, engine="torch")
    >>> once = TRAINING.model_copy(update={"epochs": 1})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open_store(f"{folder}/runs.db", create=True) as store:
    ...         cells = run([row], load("moons"), store, training=once)
    >>> [(cell.depth, cell.weight_variance, cell.replicates) for cell in cells]
    [(2, 1.0, 1), (2, 2.0, 1)]

    `progress` is told of each row that is there, and how many of its networks were trained for it.
    An interruption leaves whole rows in the store, and the one under way is begun again. Rows are
    trained in this process, unless another executor is given: lanes use every core of it.
    """
    executor = executor or Here()
    cells: list[AtlasCell] = []
    for row in rows:
        key = _key(row, training, data)
        known = None if fresh else store.latest(key)
        trained = 0
        if known and known.state == "finished":
            trace = store.trace(known.id)
        else:
            writer = _begin(row, training, data, store, key, known and known.id)
            _train(row.job(training), data, executor, writer)
            trace = store.trace(writer.run)
            trained = len(row.seeds)
        cells += _cells(row, trace)
        progress(row, trained)
    return cells


def has_trained(trace: Trace) -> np.ndarray:
    """Tell which networks have learnt more than half of what there is to learn, [R] of bool.

    Their test accuracy lies nearer to 1 than to naming the larger class for all.
    """
    enough = (1 + float(trace.attributes["larger_test_share"])) / 2
    return readings.test_accuracy(trace) > enough


def _cells(row: AtlasRow, trace: Trace) -> list[AtlasCell]:
    shares = has_trained(trace).reshape(len(row.variances), row.replicates).mean(1)
    return [
        AtlasCell(row.depth, variance, row.replicates, float(share))
        for variance, share in zip(row.variances, shares, strict=True)
    ]


def _begin(
    row: AtlasRow, training: TrainingSpec, data: Data, store: Store, key: str, known: str | None
) -> Writer:
    """Begin the run of a row, or begin it again."""
    header = choice.header(
        row.networks[0],
        training,
        data,
        row.seeds,
        engine=row.engine,
        every=SPARSE,
        experiment=EXPERIMENT,
        arm=f"{row.activation}-{row.depth}",
        note="the weight variance is each cell's own",
        weight_variances=list(row.variances),
    )
    run = known or store.new_id(f"{EXPERIMENT}-{row.activation}-{row.depth}-{key[:6]}")
    return store.begin(run, key, f"{EXPERIMENT} {row.activation} depth {row.depth}", header)


def _train(job: Job, data: Data, executor: Executor, writer: Writer) -> None:
    """Train a row into the store."""
    try:
        with closing(executor.run([job], data)) as results:
            for _, result in results:
                match result:
                    case Chunk():
                        writer.append(0, _kept_part(result))
                    case Finished(_, seconds):
                        writer.finish_shard(0, len(job.seeds), seconds, {})
        writer.finish("finished")
    except BaseException:
        writer.abandon()
        raise


def _kept_part(chunk: Chunk) -> Chunk:
    """Keep how the networks do: gradients of every layer would be a gigabyte."""
    arrays = {name: array for name, array in chunk.arrays.items() if name in KEPT}
    return Chunk(chunk.steps, chunk.epochs, arrays, chunk.first_replicate)


def _key(row: AtlasRow, training: TrainingSpec, data: Data) -> str:
    """Hash of all that determines a row's numbers."""
    content: Mapping[str, Any] = {
        "row": {name: value for name, value in row._asdict().items() if name != "engine"},
        "width": WIDTH,
        "training": training.model_dump(mode="json"),
        "data": data.name,
        "schema": VERSION,
        "engine": choice.VERSIONS[row.engine],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
