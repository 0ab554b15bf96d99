"""The PyTorch engine: (spec, training, data, seeds) in, chunks of a trace out.

R networks train in one pass: their parameters carry a replicate axis, and the loss is the sum of
their losses, so each network's gradient is its own. No other module knows how a batch of replicates
is trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from undertow.lab.data import Data
from undertow.lab.moments import (
    Measured,
    Moment,
    Networks,
    distinct_units,
    histogram,
    measured,
    steps_together,
)
from undertow.lab.network import forward, running_statistics
from undertow.lab.optimizers import optimizer
from undertow.lab.parameters import initial_parameters
from undertow.lab.randomness import batch_orders, generator
from undertow.spec import NetworkSpec, TrainingSpec
from undertow.trace.record import Chunk, Header, Layer, provenance

VERSION = 1  # goes up when the same seed no longer gives the same numbers
FIRST_STEPS = 10  # always recorded
GRID = 60  # points along each side of the decision grid
KEPT_WEIGHTS = 2_000  # a first layer of more numbers, of one network, is not kept whole
TEST_NUMBERS = 250_000  # samples are tested together up to so many activations of a layer


def header(
    spec: NetworkSpec,
    training: TrainingSpec,
    data: Data,
    seeds: Sequence[int],
    *,
    every: int = 1,
    **attributes: object,
) -> Header:
    """Describe a run before its first step."""
    activations = [spec.activation] * spec.depth + ["linear"]
    layers = tuple(
        Layer(name, depth, "linear", activation, *shape)
        for depth, (name, activation, shape) in enumerate(
            zip(spec.layer_names, activations, spec.layer_shapes, strict=True), start=1
        )
    )
    return Header(
        layers,
        tuple(seeds),
        provenance(
            "trained",
            engine="torch",
            device="cpu",
            dtype="float32",
            batch_size=training.batch_size,
            sampling=f"steps 1 to {FIRST_STEPS}, every {every}, and the last of each epoch",
            data=data.name,
            larger_test_share=data.larger_test_share,
            network=spec.model_dump(mode="json"),
            training=training.model_dump(mode="json"),
            **attributes,
        ),
    )


def train(
    spec: NetworkSpec,
    training: TrainingSpec,
    data: Data,
    seeds: Sequence[int],
    receive: Callable[[Chunk], None],
    *,
    every: int = 1,
    dtype: torch.dtype = torch.float32,
) -> dict[str, np.ndarray]:
    """Train one network a seed; hand over a chunk an epoch; return the artefacts.

    >>> from undertow.lab.data import load
    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=3, width=10, activation="tanh")
    >>> chunks = []
    >>> artefacts = train(spec, TrainingSpec(epochs=2), load("moons"), [0, 1], chunks.append)
    >>> chunks[0].arrays["grad_norm"].shape
    (2, 7, 4)

    Steps 1 to 10, every `every`-th and the last of each epoch are recorded; the test set is
    measured at the end of each epoch. The same seed gives the same network whatever its
    neighbours, to float32 round-off.
    """
    seeds = list(seeds)
    with _threads(spec, training):
        parameters = initial_parameters(spec, seeds, dtype)
        networks = Networks(
            spec, parameters, running_statistics(spec, len(seeds), dtype), len(seeds)
        )
        change = optimizer(training, parameters.flat)
        orders = [generator(seed, "order") for seed in seeds]
        train_set = _tensors(data.train_inputs, data.train_targets, dtype)
        test_set = _tensors(data.test_inputs, data.test_targets, dtype)
        steps_an_epoch = math.ceil(len(data.train_targets) / training.batch_size)
        last = training.epochs * steps_an_epoch
        together = steps_together(spec, training, len(seeds))
        first_layer = [parameters.weights[0].detach().mT.clone()]
        distinct_at_birth = distinct_units(networks)
        histograms: list[Tensor] = []
        step = 0
        for epoch in range(1, training.epochs + 1):
            recorded: list[int] = []
            waiting: list[Moment] = []
            parts: list[Measured] = []
            order = torch.from_numpy(batch_orders(orders, len(data.train_targets)))
            for samples in order.split(training.batch_size, dim=1):
                step += 1
                ends_epoch = step == epoch * steps_an_epoch
                wanted = step <= FIRST_STEPS or step % every == 0 or ends_epoch
                inputs, targets = train_set[0][samples].mT, train_set[1][samples]
                moment = _step(networks, training, change, inputs, targets, wanted)
                if moment is None:
                    continue
                recorded.append(step)
                if step in (1, last):
                    histograms.append(histogram(moment.passed.preactivations))
                if waiting and (
                    len(waiting) == together or waiting[0].inputs.shape != inputs.shape
                ):
                    parts.append(measured(networks, waiting))
                    waiting = []
                waiting.append(moment)
            parts.append(measured(networks, waiting))
            chunk = _chunk(parts, recorded, epoch)
            _set_column(chunk, -1, _evaluate(networks, training, test_set))
            if epoch == 1:
                _set_column(chunk, 0, {"distinct_units": distinct_at_birth})
                first_layer.append(parameters.weights[0].detach().mT.clone())
            receive(chunk)
        first_layer.append(parameters.weights[0].detach().mT.clone())
        return {
            **_first_layer_artefacts(torch.stack(first_layer)),
            "preactivation_histogram": torch.stack(histograms).numpy(),
            **(_plane_artefacts(networks, data, dtype) if spec.inputs == 2 else {}),
        }


def _step(
    networks: Networks,
    training: TrainingSpec,
    change: Callable[[Tensor], Tensor],
    inputs: Tensor,
    targets: Tensor,
    recorded: bool,
) -> Moment | None:
    """Take one step of every network; if it is recorded, return what is to be measured."""
    parameters = networks.parameters
    passed = forward(networks.spec, parameters, networks.running, inputs, training=True)
    losses = _losses(training, passed.outputs[-1], targets)
    leaves = parameters.leaves
    wanted = [*leaves, *passed.outputs] if recorded else leaves
    gradients = torch.autograd.grad(losses.sum(), wanted)
    with torch.no_grad():
        gradient = torch.cat([part.reshape(-1) for part in gradients[: len(leaves)]])
        update = change(gradient)
        moment = None
        if recorded:
            moment = Moment(
                inputs,
                passed,
                gradients[len(leaves) :],
                gradient,
                parameters.flat.clone(),
                update,
                losses.detach(),
                _right(training, passed.outputs[-1], targets),
                torch.full_like(losses, training.learning_rate),
            )
        parameters.flat.add_(update)
    return moment


def _losses(training: TrainingSpec, logits: Tensor, targets: Tensor) -> Tensor:
    """Mean loss of each replicate's batch, [R]."""
    if training.loss == "binary_cross_entropy":
        each = F.binary_cross_entropy_with_logits(
            logits[:, 0], targets.to(logits.dtype), reduction="none"
        )
    else:
        each = F.cross_entropy(logits, targets, reduction="none")
    return each.mean(1)


def _classes(training: TrainingSpec, logits: Tensor) -> Tensor:
    if training.loss == "binary_cross_entropy":
        return (logits[:, 0] > 0).long()
    return logits.argmax(1)


def _right(training: TrainingSpec, logits: Tensor, targets: Tensor) -> Tensor:
    return (_classes(training, logits) == targets).to(logits.dtype).mean(1)


@torch.no_grad()
def _evaluate(
    networks: Networks, training: TrainingSpec, test_set: tuple[Tensor, Tensor]
) -> dict[str, Tensor]:
    """Measure what is measured once an epoch: the test set, [R], and equal units, [layers, R]."""
    inputs, targets = test_set
    logits = torch.cat(list(_logits(networks, inputs)), 2)
    losses = _losses(training, logits, targets.expand(networks.replicates, -1))
    predicted = _classes(training, logits)
    kinds = range(max(2, networks.spec.outputs))
    shares = torch.stack([(predicted == kind).float().mean(1) for kind in kinds])
    return {
        "distinct_units": distinct_units(networks),
        "test_loss": losses,
        "test_accuracy": (predicted == targets).float().mean(1),
        "predicted_share": shares.amax(0),
    }


def _logits(networks: Networks, inputs: Tensor) -> Iterator[Tensor]:
    """Yield logits [R, outputs, samples] of all networks on the same inputs [samples, features].

    In parts, because a pass over thousands of samples falls out of the cache.
    """
    together = max(1, TEST_NUMBERS // (networks.replicates * networks.spec.width))
    for part in inputs.split(together):
        batch = part.T.expand(networks.replicates, -1, -1)
        yield forward(
            networks.spec, networks.parameters, networks.running, batch, training=False
        ).outputs[-1]


def _chunk(parts: list[Measured], steps: list[int], epoch: int) -> Chunk:
    """Move an epoch's measurements to the host: here, once an epoch, and nowhere else."""
    arrays = {
        name: torch.cat([part[name] for part in parts]).movedim(-1, 0).numpy() for name in parts[0]
    }
    return Chunk(np.asarray(steps), np.full(len(steps), epoch), arrays)


def _set_column(chunk: Chunk, place: int, values: dict[str, Tensor]) -> None:
    """Fill in, at one step of a chunk, what is not measured at every step."""
    arrays = cast(dict[str, np.ndarray], chunk.arrays)
    for name, value in values.items():
        array = value.movedim(-1, 0).numpy()  # [R] or [R, layers]
        shape = (len(array), len(chunk.steps), *array.shape[1:])
        arrays.setdefault(name, np.full(shape, np.nan, array.dtype))[:, place] = array


def _first_layer_artefacts(moments: Tensor) -> dict[str, np.ndarray]:
    start, end = moments[0], moments[-1]
    absolute = (end - start).abs()
    percent = 100 * absolute / start.abs()
    change = torch.stack([percent.mean((1, 2)), absolute.mean((1, 2))])
    artefacts = {"first_layer_change": change.numpy()}
    if start[0].numel() <= KEPT_WEIGHTS:
        artefacts["first_layer_weights"] = moments.numpy()
    return artefacts


@torch.no_grad()
def _plane_artefacts(networks: Networks, data: Data, dtype: torch.dtype) -> dict[str, np.ndarray]:
    """Return the data of a two-dimensional experiment and each network's answer over the plane."""
    inputs = np.concatenate([data.train_inputs, data.test_inputs])
    low, high = inputs.min(0) - 0.3, inputs.max(0) + 0.3
    axes = [torch.linspace(low[i], high[i], GRID, dtype=dtype) for i in (0, 1)]
    y, x = torch.meshgrid(axes[1], axes[0], indexing="ij")
    points = torch.stack([x.reshape(-1), y.reshape(-1)], 1)
    logits = torch.cat(list(_logits(networks, points)), 2)
    tested = np.zeros(len(inputs), np.uint8)
    tested[len(data.train_inputs) :] = 1
    return {
        "decision_grid": torch.sigmoid(logits[:, -1]).view(-1, GRID, GRID).numpy(),
        "decision_extent": np.array([low[0], high[0], low[1], high[1]], np.float32),
        "data_inputs": inputs,
        "data_targets": np.concatenate([data.train_targets, data.test_targets]),
        "data_test": tested,
    }


def _tensors(inputs: np.ndarray, targets: np.ndarray, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(inputs).to(dtype), torch.from_numpy(targets)


@contextmanager
def _threads(spec: NetworkSpec, training: TrainingSpec) -> Iterator[None]:
    """One thread for small nets: on a busy machine two made them 10 to 50 times slower."""
    products = max(fan_in * fan_out for fan_in, fan_out in spec.layer_shapes)
    before = torch.get_num_threads()
    torch.set_num_threads(before if products * training.batch_size >= 1 << 20 else 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
