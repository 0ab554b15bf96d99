"""Trains replicates in lanes, some epochs a call: torch_engine's arguments, torch_engine's results.

First weights, the order of the samples and the artefacts come from the same functions, so both
engines start from the same numbers and see the same batches.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

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
from undertow.engine.common.batches import batch, samples
from undertow.engine.common.path_factors import gradient_path
from undertow.engine.common.scoring import score_answers
from undertow.engine.common.stages import make_stage, stages
from undertow.engine.common.threads import torch_threads
from undertow.engine.lanes.native_library import LAYER_VARIABLES, STEP_VARIABLES
from undertow.engine.lanes.networks import LaneAnswers, LaneInputs, LaneRecord, Lanes
from undertow.engine.lanes.sample_orders import Orders
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.trace.gradient_path import as_artefacts
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
    receive: Callable[[Chunk], None],
    *,
    every: int = 1,
    drawn_from: Sequence[NetworkSpec] | None = None,
    before_step: Callable[[], None] = lambda: None,
    after_epoch: Callable[[Callable[[], dict[str, np.ndarray]]], None] | None = None,
) -> dict[str, np.ndarray]:
    """Train one network a seed; hand over a chunk an epoch; return the artefacts.

    The arguments are those of `undertow.engine.choice.train`; `before_step` is called before some
    steps only, ten times a second or so. As many epochs as fit into such a time are one call, and
    are handed over after it, unless `after_epoch` is to see the networks as they are.
    """
    seeds, planned, threads = list(seeds), stages(spec, training), torch.get_num_threads()
    drawn_from = list(drawn_from or [spec] * len(seeds))
    with torch_threads(1), torch.no_grad():
        whole = samples(data.train_inputs, data.train_targets, torch.float32)
        count = len(data.train_targets)
        given = LaneInputs(data, whole.squares.numpy(), max(2, spec.outputs))
        test_inputs = np.ascontiguousarray(data.test_inputs, np.float32)
        test_targets = torch.from_numpy(data.test_targets)
        points = plane_points(data, torch.float32)
        orders = Orders(seeds)
        an_epoch = math.ceil(count / training.batch_size)
        last = len(planned) * training.epochs * an_epoch
        first_layer, histograms = [], []
        crossed: dict[str, np.ndarray] = {}
        networks, done = None, 0  # epochs
        for number, stage in enumerate(planned):
            networks = make_stage(stage.network, drawn_from, seeds, torch.float32, number, networks)
            lanes = Lanes(networks, training, stage.frozen, threads)
            a_call, together = _steps_a_call(lanes), _epochs_together(lanes, data)
            distinct_at_birth = lanes.distinct_units()
            first_layer = first_layer or [lanes.first_weights()]

            def plane_now(lanes: Lanes = lanes) -> dict[str, np.ndarray]:
                return {} if points is None else plane_artefacts(data, lanes.logits(points.numpy()))

            ends = done + training.epochs
            while done < ends:
                epochs = 1 if after_epoch or done == 0 else min(together, ends - done)
                order = orders.epochs(count, epochs, threads)
                steps = range(done * an_epoch + 1, (done + epochs) * an_epoch + 1)
                record = LaneRecord(lanes, steps, an_epoch, last, every)
                test = LaneAnswers(lanes, test_inputs, epochs)
                for start in range(0, len(steps), a_call):
                    before_step()
                    here = min(a_call, len(steps) - start)
                    lanes.train(given, order, record, test, start, here)
                chunks = record.chunks(done + 1)
                _set_tested(chunks, training, test, test_targets)
                histograms += record.histograms()
                if done == 0:
                    set_column(chunks[0], 0, {"distinct_units": distinct_at_birth})
                    first_layer.append(lanes.first_weights())
                    if 1 < spec.depth == stage.network.depth:
                        places = torch.from_numpy(order[0, : len(seeds), : training.batch_size])
                        chosen = batch(whole, places.long())
                        drawn = networks.parameters  # which change at the end of a stage only
                        crossed = as_artefacts(
                            gradient_path(spec, training, drawn, chosen.inputs, chosen.targets)
                        )
                done += epochs
                for chunk in chunks:
                    receive(whole_artefacts(chunk, stage.network.depth, spec.depth))
                if after_epoch:
                    after_epoch(plane_now)
            lanes.keep()
        first_layer.append(lanes.first_weights())
        return {
            **first_layer_artefacts(torch.stack(first_layer)),
            "preactivation_histogram": stack_histograms(histograms),
            **crossed,
            **plane_now(),
        }


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
