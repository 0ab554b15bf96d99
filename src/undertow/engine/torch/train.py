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
from undertow.engine.common.random_streams import batch_orders, generator
from undertow.engine.common.sampling import is_recorded
from undertow.engine.common.scoring import score_answers
from undertow.engine.common.stages import freeze, make_stage, stages
from undertow.engine.common.stretches import in_stretches, no_gradients
from undertow.engine.engine import NO_HOOKS, Artefacts, Epochs, Hooks
from undertow.engine.torch.buffers import Pass, StepBuffers, step_buffers
from undertow.engine.torch.forward_backward import backward, forward
from undertow.engine.torch.measurements import distinct_units, histogram, steps_together
from undertow.engine.torch.optimizers import optimizer
from undertow.engine.torch.step_recorder import StepRecorder
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
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
    *,
    every: int = 1,
    drawn_from: Sequence[NetworkSpec] | None = None,
    hooks: Hooks = NO_HOOKS,
    dtype: torch.dtype = torch.float32,
) -> Epochs:
    """Train one network a seed, as `Engine` promises; `before_step` is called before every step."""
    drawn_from = list(drawn_from or [spec] * len(seeds))
    epochs = _epochs(spec, training, data, list(seeds), every, drawn_from, hooks, dtype)
    return in_stretches(partial(no_gradients, _threads(spec, training)), epochs)


def _epochs(
    spec: NetworkSpec,
    training: TrainingSpec,
    data: Data,
    seeds: list[int],
    every: int,
    drawn_from: Sequence[NetworkSpec],
    hooks: Hooks,
    dtype: torch.dtype,
) -> Epochs:
    planned, orders = stages(spec, training), [generator(seed, "order") for seed in seeds]
    train_set = samples(data.train_inputs, data.train_targets, dtype)
    test_set = samples(data.test_inputs, data.test_targets, dtype)
    steps_an_epoch = math.ceil(len(data.train_targets) / training.batch_size)
    last = len(planned) * training.epochs * steps_an_epoch
    step, epoch, stage = 0, 0, None
    first_layer: list[Tensor] = []
    histograms: list[Tensor] = []
    at_first_batch: Artefacts = {}
    for number, (network, frozen) in enumerate(planned):
        before = stage and stage.networks
        networks = make_stage(network, drawn_from, seeds, dtype, number, before)
        stage = _Stage(networks, training, frozen)
        distinct_at_birth = distinct_units(networks)
        first_layer = first_layer or [first_weights(networks)]
        for _ in range(training.epochs):
            epoch += 1
            order = torch.from_numpy(batch_orders(orders, len(data.train_targets)))
            for places in order.split(training.batch_size, dim=1):
                hooks.before_step()
                step += 1
                chosen = batch(train_set, places)
                if step == 1:
                    at_first_batch = hooks.at_first_batch(networks, chosen)
                recorded = is_recorded(step, every, steps_an_epoch)
                at = stage.step(chosen, step if recorded else None)
                if step in (1, last):
                    histograms.append(histogram(at.preactivations))
            chunk = stage.chunk(epoch, test_set)
            if epoch == 1:
                set_column(chunk, 0, {"distinct_units": distinct_at_birth})
                first_layer.append(first_weights(networks))
            yield whole_artefacts(chunk, network.depth, spec.depth)
            if hooks.after_epoch:
                hooks.after_epoch(partial(stage.plane, data))
    assert stage is not None
    return {
        **first_layer_artefacts(torch.stack([*first_layer, first_weights(stage.networks)])),
        "preactivation_histogram": stack_histograms(histograms),
        **at_first_batch,
        **stage.plane(data),
    }


class _Stage:
    """The networks of one stage, and what trains, records and tests them."""

    def __init__(self, networks: Networks, training: TrainingSpec, frozen: int) -> None:
        self.networks, self._training, self._frozen = networks, training, frozen
        self._change = optimizer(training, networks.parameters.flat)
        self._recorder = StepRecorder(networks, training, _rooms(networks, training))
        self._testing = _rooms(networks, None)

    def step(self, batch: Batch, step: int | None) -> Pass:
        """Take a step of every network, recorded if it has a number; return what it was made of."""
        networks, training = self.networks, self._training
        spec, parameters = networks.spec, networks.parameters
        at = self._recorder.room(batch, step)
        forward(spec, parameters, networks.running, batch.inputs, at, training=True)
        derivative(training.loss, at.logits, batch.targets, at.last_delta)
        backward(spec, parameters, batch.inputs, at)
        gradient = at.gradient.flat
        if training.clip is not None:
            gradient = clip_gradient(at.gradient, training.clip, spec, networks.replicates)
        if step is not None:
            at.weights.copy_(parameters.flat)
        self._change(gradient, at.update.flat)
        freeze(at.update, self._frozen)
        parameters.flat.add_(at.update.flat)
        return at

    def chunk(self, epoch: int, test_set: Samples) -> Chunk:
        """Return what an epoch's steps recorded, and at the last how the test set is answered.

        What was measured moves to the host here, once an epoch, and nowhere else.
        """
        measured, steps = self._recorder.taken()
        arrays = {name: part.movedim(-1, 0).numpy() for name, part in measured.items()}
        chunk = Chunk(np.asarray(steps), np.full(len(steps), epoch), arrays)
        tested = score_answers(self._training, self._answers(test_set.inputs), test_set.targets)
        set_column(chunk, -1, {"distinct_units": distinct_units(self.networks), **tested})
        return chunk

    def plane(self, data: Data) -> Artefacts:
        """Return what the networks answer over the plane; nothing of other data."""
        points = plane_points(data, self.networks.parameters.flat.dtype)
        return {} if points is None else plane_artefacts(data, self._answers(points))

    def _answers(self, inputs: Tensor) -> Tensor:
        return torch.cat(list(_logits(self.networks, inputs, self._testing)), 2)


def first_weights(networks: Networks) -> Tensor:
    """Return a copy of layer 1's weights, [R, in, out]."""
    return networks.parameters.weights[0].mT.clone()


def _rooms(networks: Networks, training: TrainingSpec | None) -> Callable[[int], StepBuffers]:
    """Give the passes for a batch size, made once; without a training, for the logits alone."""
    spec, replicates, dtype = networks.spec, networks.replicates, networks.parameters.flat.dtype
    steps = steps_together(spec, training, replicates) if training else 1
    return cache(
        lambda batch: step_buffers(spec, replicates, batch, dtype, steps, scratch=training is None)
    )


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


def _threads(spec: NetworkSpec, training: TrainingSpec) -> int:
    """One thread for small nets: on a busy machine two made them 10 to 50 times slower."""
    products = max(fan_in * fan_out for fan_in, fan_out in spec.layer_shapes)
    return torch.get_num_threads() if products * training.batch_size >= 1 << 20 else 1
