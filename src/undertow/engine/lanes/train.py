"""Trains replicates in lanes, some epochs a call; as engine/torch/train in all that is seen of it.

First weights, the order of the samples and the artefacts come from the same functions, so both
engines start from the same numbers and see the same batches.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from undertow.data.dataset import Data
from undertow.engine.common.artefacts import (
    first_layer_artefacts,
    plane_artefacts,
    plane_points,
    set_column,
    stack_histograms,
    whole_artefacts,
)
from undertow.engine.common.batches import Batch, batch, samples
from undertow.engine.common.networks import Networks
from undertow.engine.common.scoring import score_answers
from undertow.engine.common.stages import Stage, make_stage, stages
from undertow.engine.common.stretches import in_stretches, no_gradients
from undertow.engine.engine import NO_HOOKS, Artefacts, Epochs, Hooks
from undertow.engine.lanes.native_library import LAYER_VARIABLES, STEP_VARIABLES
from undertow.engine.lanes.networks import LaneAnswers, LaneInputs, LaneRecord, Lanes
from undertow.engine.lanes.sample_orders import Orders
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.trace.record import Chunk

VERSION = 1  # goes up when the same seed no longer gives the same numbers, to round-off
ROOM = 16e6  # numbers that the epochs of a call leave behind
SCORED = 10  # times their own room that logits take while they are scored
A_CALL = 4e9  # multiplications of a call: a tenth of a second, after which Ctrl-C is heard


def train(
    spec: NetworkSpec,
    training: TrainingSpec,
    data: Data,
    seeds: Sequence[int],
    *,
    every: int = 1,
    drawn_from: Sequence[NetworkSpec] | None = None,
    hooks: Hooks = NO_HOOKS,
) -> Epochs:
    """Train one network a seed, as `Engine` promises; `before_step` is called before some steps.

    That is ten times a second or so. As many epochs as fit into such a time are one call, and are
    handed over after it, unless `after_epoch` is to see the networks as they are.
    """
    seeds, drawn_from = list(seeds), list(drawn_from or [spec] * len(seeds))
    given = _Given(training, data, max(2, spec.outputs), every, torch.get_num_threads())
    epochs = _epochs(spec, given, stages(spec, training), seeds, drawn_from, hooks)
    return in_stretches(partial(no_gradients, 1), epochs)


def _epochs(
    spec: NetworkSpec,
    given: _Given,
    planned: list[Stage],
    seeds: list[int],
    drawn_from: list[NetworkSpec],
    hooks: Hooks,
) -> Epochs:
    training, orders, threads = given.training, Orders(seeds), given.threads
    last = len(planned) * training.epochs * given.an_epoch
    first_layer: list[Tensor] = []
    histograms: list[Tensor] = []
    at_first_batch: Artefacts = {}
    networks, lanes, done = None, None, 0  # epochs
    for number, (network, frozen) in enumerate(planned):
        networks = make_stage(network, drawn_from, seeds, torch.float32, number, networks)
        lanes = Lanes(networks, training, frozen, threads)
        together = 1 if hooks.after_epoch else _epochs_together(lanes, given.data)
        distinct_at_birth = lanes.distinct_units()
        first_layer = first_layer or [lanes.first_weights()]
        ends = done + training.epochs
        while done < ends:
            epochs = min(together, ends - done) if done else 1
            order = orders.epochs(given.count, epochs, threads)
            if not done:  # what was drawn changes at the end of a stage only
                at_first_batch = hooks.at_first_batch(networks, given.first_batch(order, networks))
            steps = range(done * given.an_epoch + 1, (done + epochs) * given.an_epoch + 1)
            record = LaneRecord(lanes, steps, given.an_epoch, last, given.every)
            chunks = given.call(lanes, order, record, done, hooks.before_step)
            histograms += record.histograms()
            if not done:
                set_column(chunks[0], 0, {"distinct_units": distinct_at_birth})
                first_layer.append(lanes.first_weights())
            done += epochs
            for chunk in chunks:
                yield whole_artefacts(chunk, network.depth, spec.depth)
            if hooks.after_epoch:
                hooks.after_epoch(partial(given.plane, lanes))
        lanes.keep()
    assert lanes is not None
    return {
        **first_layer_artefacts(torch.stack([*first_layer, lanes.first_weights()])),
        "preactivation_histogram": stack_histograms(histograms),
        **at_first_batch,
        **given.plane(lanes),
    }


class _Given:
    """What all stages of a training read: its samples, and how they are met and recorded."""

    def __init__(
        self, training: TrainingSpec, data: Data, classes: int, every: int, threads: int
    ) -> None:
        self.training, self.data, self.every, self.threads = training, data, every, threads
        self.count = len(data.train_targets)
        self.an_epoch = math.ceil(self.count / training.batch_size)
        self._samples = samples(data.train_inputs, data.train_targets, torch.float32)
        self._in_lanes = LaneInputs(data, self._samples.squares.numpy(), classes)
        self._test_inputs = np.ascontiguousarray(data.test_inputs, np.float32)
        self._test_targets = torch.from_numpy(data.test_targets)
        self._plane = plane_points(data, torch.float32)

    def first_batch(self, order: np.ndarray, networks: Networks) -> Batch:
        """Return the batch of the first step of every network."""
        places = order[0, : networks.replicates, : self.training.batch_size]
        return batch(self._samples, torch.from_numpy(places).long())

    def call(
        self,
        lanes: Lanes,
        order: np.ndarray,
        record: LaneRecord,
        done: int,
        before_step: Callable[[], None],
    ) -> list[Chunk]:
        """Train the epochs of `order`, those after `done`, in one call or more."""
        epochs, a_call = len(order), _steps_a_call(lanes)
        test = LaneAnswers(lanes, self._test_inputs, epochs)
        steps = epochs * self.an_epoch
        for start in range(0, steps, a_call):
            before_step()
            lanes.train(self._in_lanes, order, record, test, start, min(a_call, steps - start))
        chunks = record.chunks(done + 1)
        _set_tested(chunks, self.training, test, self._test_targets)
        return chunks

    def plane(self, lanes: Lanes) -> Artefacts:
        """Return what the networks answer over the plane; nothing of other data."""
        points = self._plane
        if points is None:
            return {}
        return plane_artefacts(self.data, lanes.logits(points.numpy()))


def _set_tested(
    chunks: list[Chunk], training: TrainingSpec, test: LaneAnswers, truth: Tensor
) -> None:
    """Fill in, at the end of each epoch, how the networks did on the test set."""
    logits = test.logits
    found = score_answers(training, logits.flatten(0, 1), truth)
    for epoch, chunk in enumerate(chunks):
        tested = {name: value.view(logits.shape[:2])[epoch] for name, value in found.items()}
        set_column(chunk, -1, {"distinct_units": test.distinct_units[epoch], **tested})


def _steps_a_call(lanes: Lanes) -> int:
    return max(1, int(A_CALL / _pass_back(lanes, lanes.training.batch_size)))


def _pass_back(lanes: Lanes, samples: int) -> float:
    """How many multiplications a pass forward and back takes; one forward takes a third."""
    return 3.0 * lanes.whole * lanes.networks.spec.parameters * samples


def _epochs_together(lanes: Lanes, data: Data) -> int:
    """How many epochs are a call, and leave no more behind than there is to be room for."""
    spec, samples = lanes.networks.spec, len(data.train_targets)
    an_epoch = math.ceil(samples / lanes.training.batch_size)
    numbers = an_epoch * (len(LAYER_VARIABLES) * (spec.depth + 1) + len(STEP_VARIABLES))
    numbers += samples + SCORED * len(data.test_targets) * spec.outputs
    room = ROOM / (numbers * lanes.whole)
    work = _pass_back(lanes, samples) + _pass_back(lanes, len(data.test_targets)) / 3
    return max(1, int(min(A_CALL / work, room)))
