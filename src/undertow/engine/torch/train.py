"""The PyTorch engine: the reference, and what trains where lanes do not.

R networks train in one pass: their parameters carry a replicate axis, and each has a loss and so a
gradient of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial

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
from undertow.engine.common.batches import Batch, Samples, batch, samples
from undertow.engine.common.gradient_rules import clip_gradient
from undertow.engine.common.losses import derivative
from undertow.engine.common.networks import Networks
from undertow.engine.common.path_factors import gradient_path
from undertow.engine.common.random_streams import batch_orders, generator
from undertow.engine.common.sampling import Measurements, is_recorded
from undertow.engine.common.scoring import score_answers
from undertow.engine.common.stages import freeze, make_stage, stages
from undertow.engine.common.threads import torch_threads
from undertow.engine.torch.buffers import Pass, StepBuffers, step_buffers
from undertow.engine.torch.forward_backward import backward, forward
from undertow.engine.torch.measurements import distinct_units, histogram, steps_together
from undertow.engine.torch.optimizers import Change, optimizer
from undertow.engine.torch.step_recorder import StepRecorder
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.trace.gradient_path import as_artefacts
from undertow.trace.record import Chunk

TENSOR_SAMPLES = 512  # answered together where answers depend on one another
EVEN = 64  # samples, of which parts are multiples: products of odd lengths are slower
# Tested together: so many activations of a layer, or of few networks so many samples, which keep
# a layer in the cache.
TEST_NUMBERS, CACHED_NUMBERS, TEST_SAMPLES = 250_000, 64_000, 512


def train(
    spec: NetworkSpec,
    training: TrainingSpec,
    data: Data,
    seeds: Sequence[int],
    receive: Callable[[Chunk], None],
    *,
    every: int = 1,
    drawn_from: Sequence[NetworkSpec] | None = None,
    dtype: torch.dtype = torch.float32,
    before_step: Callable[[], None] = lambda: None,
    after_epoch: Callable[[Callable[[], dict[str, np.ndarray]]], None] | None = None,
) -> dict[str, np.ndarray]:
    """Train one network a seed; hand over a chunk an epoch; return the artefacts.

    The arguments are those of `undertow.engine.choice.train`.
    """
    seeds, planned = list(seeds), stages(spec, training)
    drawn_from = list(drawn_from or [spec] * len(seeds))
    with torch_threads(_threads(spec, training)), torch.no_grad():
        orders = [generator(seed, "order") for seed in seeds]
        train_set = samples(data.train_inputs, data.train_targets, dtype)
        test_set = samples(data.test_inputs, data.test_targets, dtype)
        steps_an_epoch = math.ceil(len(data.train_targets) / training.batch_size)
        last = len(planned) * training.epochs * steps_an_epoch
        step, epoch, networks = 0, 0, None
        first_layer: list[Tensor] = []
        histograms: list[Tensor] = []
        crossed: dict[str, np.ndarray] = {}
        for number, stage in enumerate(planned):
            networks = make_stage(stage.network, drawn_from, seeds, dtype, number, networks)
            parameters = networks.parameters
            change = optimizer(training, parameters.flat)
            recorder = StepRecorder(networks, training, _rooms(networks, training))
            testing = _rooms(networks, None)
            distinct_at_birth = distinct_units(networks)
            first_layer = first_layer or [parameters.weights[0].mT.clone()]
            for _ in range(training.epochs):
                epoch += 1
                order = torch.from_numpy(batch_orders(orders, len(data.train_targets)))
                for places in order.split(training.batch_size, dim=1):
                    before_step()
                    step += 1
                    wanted = is_recorded(step, every, steps_an_epoch)
                    chosen = batch(train_set, places)
                    at = recorder.room(chosen, step if wanted else None)
                    if step == 1 and 1 < spec.depth == stage.network.depth:
                        crossed = as_artefacts(
                            gradient_path(spec, training, parameters, chosen.inputs, chosen.targets)
                        )
                    _step(networks, training, change, chosen, at, stage.frozen, record=wanted)
                    if step in (1, last):
                        histograms.append(histogram(at.preactivations))
                chunk = _chunk(*recorder.taken(), epoch)
                set_column(chunk, -1, _evaluate(networks, training, test_set, testing))
                if epoch == 1:
                    set_column(chunk, 0, {"distinct_units": distinct_at_birth})
                    first_layer.append(parameters.weights[0].mT.clone())
                receive(whole_artefacts(chunk, stage.network.depth, spec.depth))
                if after_epoch:
                    after_epoch(partial(_plane_artefacts, networks, data, testing))
        assert networks is not None
        first_layer.append(networks.parameters.weights[0].mT.clone())
        return {
            **first_layer_artefacts(torch.stack(first_layer)),
            "preactivation_histogram": stack_histograms(histograms),
            **crossed,
            **_plane_artefacts(networks, data, testing),
        }


def _rooms(networks: Networks, training: TrainingSpec | None) -> Callable[[int], StepBuffers]:
    """Give the passes for a batch size, made once; without a training, for the logits alone."""
    spec, replicates, dtype = networks.spec, networks.replicates, networks.parameters.flat.dtype
    steps = steps_together(spec, training, replicates) if training else 1
    return cache(
        lambda batch: step_buffers(spec, replicates, batch, dtype, steps, scratch=training is None)
    )


def _step(
    networks: Networks,
    training: TrainingSpec,
    change: Change,
    batch: Batch,
    at: Pass,
    frozen: int,
    *,
    record: bool,
) -> None:
    """Take one step of every network, and leave in `at` what it was made of."""
    spec, parameters = networks.spec, networks.parameters
    forward(spec, parameters, networks.running, batch.inputs, at, training=True)
    derivative(training.loss, at.logits, batch.targets, at.last_delta)
    backward(spec, parameters, batch.inputs, at)
    gradient = at.gradient.flat
    if training.clip is not None:
        gradient = clip_gradient(at.gradient, training.clip, spec, networks.replicates)
    if record:
        at.weights.copy_(parameters.flat)
    change(gradient, at.update.flat)
    freeze(at.update, frozen)
    parameters.flat.add_(at.update.flat)


def _evaluate(
    networks: Networks,
    training: TrainingSpec,
    test_set: Samples,
    rooms: Callable[[int], StepBuffers],
) -> dict[str, Tensor]:
    """Measure what is measured once an epoch: the test set, [R], and equal units, [layers, R]."""
    logits = torch.cat(list(_logits(networks, test_set.inputs, rooms)), 2)
    tested = score_answers(training, logits, test_set.targets)
    return {"distinct_units": distinct_units(networks), **tested}


def _logits(
    networks: Networks, inputs: Tensor, rooms: Callable[[int], StepBuffers]
) -> Iterator[Tensor]:
    """Yield logits [R, outputs, samples] of all networks on the same inputs [samples, features].

    In parts, because a pass over thousands of samples falls out of the cache. With a normalisation
    over the whole tensor an answer depends on its part, which must then depend on nothing else.
    """
    spec, replicates = networks.spec, networks.replicates
    a_sample = replicates * spec.width
    cached = max(TEST_SAMPLES, CACHED_NUMBERS // a_sample)
    together = max(1, min(TEST_NUMBERS // a_sample, cached))
    together -= together % EVEN if together > EVEN else 0
    for part in inputs.split(TENSOR_SAMPLES if spec.normalisation == "tensor" else together):
        shared, at = part.T.expand(replicates, -1, -1), rooms(len(part)).each[0]
        parameters, running = networks.parameters, networks.running
        yield forward(spec, parameters, running, shared, at, training=False).clone()


def _chunk(measured: Measurements, steps: list[int], epoch: int) -> Chunk:
    """Move an epoch's measurements to the host: here, once an epoch, and nowhere else."""
    arrays = {name: part.movedim(-1, 0).numpy() for name, part in measured.items()}
    return Chunk(np.asarray(steps), np.full(len(steps), epoch), arrays)


def _plane_artefacts(
    networks: Networks, data: Data, rooms: Callable[[int], StepBuffers]
) -> dict[str, np.ndarray]:
    points = plane_points(data, networks.parameters.flat.dtype)
    if points is None:
        return {}
    return plane_artefacts(data, torch.cat(list(_logits(networks, points, rooms)), 2))


def _threads(spec: NetworkSpec, training: TrainingSpec) -> int:
    """One thread for small nets: on a busy machine two made them 10 to 50 times slower."""
    products = max(fan_in * fan_out for fan_in, fan_out in spec.layer_shapes)
    return torch.get_num_threads() if products * training.batch_size >= 1 << 20 else 1
