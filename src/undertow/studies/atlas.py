"""The trainability map: networks over a grid of depth and weight variance, and which of them train.

A row of the map, one depth, is a run of the store: its networks have one shape and share a pass,
each with first weights of its own cell's variance. What is in the store is not trained again.

The map is that of Schoenholz et al. (2017), doi:10.48550/arXiv.1611.01232, by training small
networks on two moons instead of wide ones on MNIST.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from undertow.data.dataset import Data
from undertow.engine import choice
from undertow.errors import SpecError, UnknownName
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.theory.signal.critical import critical
from undertow.trace import readings
from undertow.trace.record import Chunk, Trace
from undertow.trace.schema import VERSION
from undertow.trace.store.reader import Store

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

    @property
    def networks(self) -> list[NetworkSpec]:
        """The networks, cell by cell."""
        return [
            NetworkSpec(
                inputs=2,
                outputs=1,
                depth=self.depth,
                width=WIDTH,
                activation=self.activation,
                initialisation=f"scaled_normal({variance:.10g}, {self.bias_variance:g})",
            )
            for variance in self.variances
            for _ in range(self.replicates)
        ]

    @property
    def seeds(self) -> list[int]:
        """The same seeds in every cell."""
        return list(range(self.replicates)) * len(self.variances)


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
    variances = middle * np.geomspace(1 / REACH, REACH, VARIANCES)
    replicates = -(-networks // (len(DEPTHS) * VARIANCES))
    return [
        AtlasRow(
            activation, bias, depth, tuple(float(f"{each:.6g}") for each in variances), replicates
        )
        for depth in DEPTHS
    ]


def run(
    rows: list[AtlasRow],
    data: Data,
    store: Store,
    *,
    fresh: bool = False,
    training: TrainingSpec = TRAINING,
    progress: Callable[[AtlasRow, int], None] = lambda _row, _networks: None,
) -> list[AtlasCell]:
    """Train what the store lacks, row by row, and return the map.

    `progress` is told of each row that is there, and how many of its networks were trained for it.
    An interruption leaves whole rows in the store, and the one under way is begun again.
    """
    cells: list[AtlasCell] = []
    for row in rows:
        key = _key(row, training, data)
        known = None if fresh else store.latest(key)
        trained = 0
        if known and known.state == "finished":
            trace = store.trace(known.id)
        else:
            trace = store.trace(_train(row, training, data, store, key, known and known.id))
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


def _train(
    row: AtlasRow, training: TrainingSpec, data: Data, store: Store, key: str, known: str | None
) -> str:
    """Train a row into the store, and return its run."""
    networks, began = row.networks, time.perf_counter()
    name = f"{EXPERIMENT} {row.activation} depth {row.depth}"
    header = choice.header(
        networks[0],
        training,
        data,
        row.seeds,
        every=SPARSE,
        experiment=EXPERIMENT,
        arm=f"{row.activation}-{row.depth}",
        note="the weight variance is each cell's own",
        weight_variances=list(row.variances),
    )
    run = known or store.new_id(f"{EXPERIMENT}-{row.activation}-{row.depth}-{key[:6]}")
    writer = store.begin(run, key, name, header)
    try:
        choice.train(
            networks[0],
            training,
            data,
            row.seeds,
            lambda chunk: writer.append(0, _kept_part(chunk)),
            every=SPARSE,
            drawn_from=networks,
        )
        writer.finish_shard(0, len(row.seeds), time.perf_counter() - began, {})
        writer.finish("finished")
    except BaseException:
        writer.abandon()
        raise
    return run


def _kept_part(chunk: Chunk) -> Chunk:
    """Keep how the networks do: gradients of every layer would be a gigabyte."""
    arrays = {name: array for name, array in chunk.arrays.items() if name in KEPT}
    return Chunk(chunk.steps, chunk.epochs, arrays, chunk.first_replicate)


def _key(row: AtlasRow, training: TrainingSpec, data: Data) -> str:
    """Hash of all that determines a row's numbers."""
    content: Mapping[str, Any] = {
        "row": row._asdict(),
        "width": WIDTH,
        "training": training.model_dump(mode="json"),
        "data": data.name,
        "schema": VERSION,
        "engine": choice.VERSIONS[choice.choose_engine(row.networks[0], len(row.seeds))],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
