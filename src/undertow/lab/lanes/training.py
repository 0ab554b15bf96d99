"""Trains replicates in lanes, an epoch at a time: torch_engine's arguments, torch_engine's results.

First weights, the order of the samples and the artefacts come from the same functions, so both
engines start from the same numbers and see the same batches.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch

from undertow.lab import moments
from undertow.lab.artefacts import of_first_layer, of_plane, of_whole, plane, set_column, stacked
from undertow.lab.batches import batch, samples
from undertow.lab.data import Data
from undertow.lab.lanes.blocks import Given, Lanes, Record
from undertow.lab.lanes.orders import Orders
from undertow.lab.stages import staged, stages
from undertow.lab.threads import torch_threads
from undertow.lab.way import way_back
from undertow.spec import NetworkSpec, TrainingSpec
from undertow.trace.record import Chunk
from undertow.trace.way import packed

VERSION = 1  # goes up when the same seed no longer gives the same numbers, to round-off
A_CALL = 4e9  # multiplications of a call: a tenth of a second, after which Ctrl-C is heard


def train(
    spec: NetworkSpec,
    training: TrainingSpec,
    data: Data,
    seeds: Sequence[int],
    receive: Callable[[Chunk], None],
    *,
    every: int = 1,
    drawn_from: Sequence[NetworkSpec] | None = None,
    before_step: Callable[[], None] = lambda: None,
    after_epoch: Callable[[Callable[[], dict[str, np.ndarray]]], None] = lambda _: None,
) -> dict[str, np.ndarray]:
    """Train one network a seed; hand over a chunk an epoch; return the artefacts.

    The arguments are those of `undertow.lab.engine.train`; `before_step` is called before some
    steps only, ten times a second or so.
    """
    seeds, planned, threads = list(seeds), stages(spec, training), torch.get_num_threads()
    drawn_from = list(drawn_from or [spec] * len(seeds))
    with torch_threads(1), torch.no_grad():
        whole = samples(data.train_inputs, data.train_targets, torch.float32)
        count = len(data.train_targets)
        given = Given(data, whole.squares.numpy(), max(2, spec.outputs))
        test_inputs = np.ascontiguousarray(data.test_inputs, np.float32)
        test_targets = torch.from_numpy(data.test_targets)
        points = plane(data, torch.float32)
        orders = Orders(seeds)
        steps_an_epoch = math.ceil(count / training.batch_size)
        last = len(planned) * training.epochs * steps_an_epoch
        first_layer, histograms = [], []
        crossed: dict[str, np.ndarray] = {}
        networks, epoch, done = None, 0, 0
        for number, stage in enumerate(planned):
            networks = staged(stage.network, drawn_from, seeds, torch.float32, number, networks)
            lanes = Lanes(networks, training, stage.frozen, threads)
            a_call = _steps_a_call(lanes)
            distinct_at_birth = lanes.distinct_units()
            first_layer = first_layer or [lanes.first_weights()]

            def plane_now(lanes: Lanes = lanes) -> dict[str, np.ndarray]:
                return {} if points is None else of_plane(data, lanes.logits(points.numpy()))

            for _ in range(training.epochs):
                epoch += 1
                order = orders.epoch(count)
                if done == 0 and 1 < spec.depth == stage.network.depth:
                    first = torch.from_numpy(order[: len(seeds), : training.batch_size])
                    chosen = batch(whole, first.long())
                    crossed = packed(
                        way_back(spec, training, networks.parameters, chosen.inputs, chosen.targets)
                    )
                record = Record(lanes, range(done + 1, done + steps_an_epoch + 1), last, every)
                for start in range(0, steps_an_epoch, a_call):
                    before_step()
                    lanes.train(given, order, record, start, min(a_call, steps_an_epoch - start))
                done += steps_an_epoch
                histograms += record.histograms()
                chunk = record.chunk(epoch)
                tested = moments.answers(training, lanes.logits(test_inputs), test_targets)
                set_column(chunk, -1, {"distinct_units": lanes.distinct_units(), **tested})
                if epoch == 1:
                    set_column(chunk, 0, {"distinct_units": distinct_at_birth})
                    first_layer.append(lanes.first_weights())
                receive(of_whole(chunk, stage.network.depth, spec.depth))
                after_epoch(plane_now)
            lanes.keep()
        first_layer.append(lanes.first_weights())
        return {
            **of_first_layer(torch.stack(first_layer)),
            "preactivation_histogram": stacked(histograms),
            **crossed,
            **plane_now(),
        }


def _steps_a_call(lanes: Lanes) -> int:
    a_step = 3.0 * lanes.whole * lanes.networks.spec.parameters * lanes.training.batch_size
    return max(1, int(A_CALL / a_step))
