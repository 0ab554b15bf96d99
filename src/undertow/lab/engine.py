"""The PyTorch engine: (spec, training, data, seeds) in, chunks of a trace out.

R networks train in one pass: their parameters carry a replicate axis, and the loss is the sum of
their losses, so each network's gradient is its own. No other module knows how a batch of replicates
is trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from undertow.lab import measure
from undertow.lab.activations import ACTIVATIONS
from undertow.lab.data import Data
from undertow.lab.network import Forward, Running, forward, running_statistics
from undertow.lab.optimizers import optimizer
from undertow.lab.parameters import Parameters, initial_parameters, weight_blocks
from undertow.lab.randomness import batch_orders, generator
from undertow.spec import NetworkSpec, TrainingSpec
from undertow.trace.record import Chunk, Header, Layer, provenance

FIRST_STEPS = 10  # always recorded
HISTOGRAM_BINS, HISTOGRAM_EDGE = 80, 10.0
GRID = 60  # points along each side of the decision grid
KEPT_WEIGHTS = 200_000  # a first layer of more numbers, over all replicates, is not kept whole
TEST_BATCH = 1000

Records = dict[str, list[Tensor]]


@dataclass(frozen=True)
class Networks:
    """R networks and what a step needs to know of them."""

    spec: NetworkSpec
    parameters: Parameters
    running: Running
    replicates: int


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
        first_layer = [parameters.weights[0].detach().clone()]
        distinct_at_birth = _distinct_units(networks)
        histograms: list[Tensor] = []
        step = 0
        for epoch in range(1, training.epochs + 1):
            records: Records = {}
            recorded: list[int] = []
            order = torch.from_numpy(batch_orders(orders, len(data.train_targets)))
            for samples in order.split(training.batch_size, dim=1):
                step += 1
                ends_epoch = step == epoch * steps_an_epoch
                wanted = step <= FIRST_STEPS or step % every == 0 or ends_epoch
                inputs, targets = train_set[0][samples].mT, train_set[1][samples]
                values, passed = _step(networks, training, change, inputs, targets, wanted)
                if wanted:
                    recorded.append(step)
                    for name, value in values.items():
                        records.setdefault(name, []).append(value)
                if passed and step in (1, last):
                    histograms.append(_histogram(passed.preactivations))
            chunk = _chunk(records, recorded, epoch)
            _set_column(chunk, -1, _evaluate(networks, training, test_set))
            if epoch == 1:
                _set_column(chunk, 0, {"distinct_units": distinct_at_birth})
                first_layer.append(parameters.weights[0].detach().clone())
            receive(chunk)
        first_layer.append(parameters.weights[0].detach().clone())
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
) -> tuple[dict[str, Tensor], Forward | None]:
    """Take one step of every network; if it is recorded, return what it measured."""
    spec, parameters = networks.spec, networks.parameters
    passed = forward(spec, parameters, networks.running, inputs, training=True)
    losses = _losses(training, passed.outputs[-1], targets)
    leaves = parameters.leaves
    wanted = [*leaves, *passed.outputs] if recorded else leaves
    gradients = torch.autograd.grad(losses.sum(), wanted)
    with torch.no_grad():
        gradient = torch.cat([part.reshape(-1) for part in gradients[: len(leaves)]])
        update = change(gradient)
        values: dict[str, Tensor] = {}
        if recorded:
            deltas = gradients[len(leaves) :]
            values = _measured(networks, passed, gradient, update, deltas, inputs)
            values["loss"] = losses.detach()
            values["accuracy"] = _right(training, passed.outputs[-1], targets)
            values["learning_rate"] = torch.full_like(losses, training.learning_rate)
        parameters.flat.add_(update)
    return values, passed if recorded else None


def _measured(
    networks: Networks,
    passed: Forward,
    gradient: Tensor,
    update: Tensor,
    deltas: tuple[Tensor, ...],
    inputs: Tensor,
) -> dict[str, Tensor]:
    """Measure one step, before its update is applied: [layers, R], or [R] for what has no layer."""
    spec, replicates = networks.spec, networks.replicates
    activation = ACTIVATIONS[spec.activation]

    flats = (gradient, networks.parameters.flat, update)
    blocks = list(zip(*(weight_blocks(flat, spec, replicates) for flat in flats), strict=True))
    gradients = [block[0] for block in blocks]
    # One call measures a block's gradient, weights and update: small tensors cost by the call.
    norms = torch.cat([measure.norm(torch.cat(block)).unflatten(0, (3, -1)) for block in blocks], 1)
    before = torch.stack(passed.preactivations)
    after = activation.function(before)
    slopes = activation.slope(before, after)
    saturated, dead = measure.unit_shares(activation, slopes)
    logits = passed.outputs[-1]
    of_logits = measure.rms(logits[None])
    of_output = torch.full_like(of_logits, torch.nan)  # the output layer has no activation
    return {
        "grad_norm": norms[0],
        "weight_norm": norms[1],
        "update_norm": norms[2],
        "grad_mean_abs": torch.cat([measure.mean_abs(block) for block in gradients]),
        "nonfinite": torch.cat([measure.nonfinite(block) for block in gradients]),
        "delta_norm": torch.cat(
            [measure.norm(torch.stack(deltas[:-1])), measure.norm(deltas[-1][None])]
        ),
        "preactivation_rms": torch.cat([measure.rms(before), of_logits]),
        "activation_rms": torch.cat([measure.rms(after), of_output]),
        "slope_rms": torch.cat([measure.rms(slopes), of_output]),
        "saturated_fraction": torch.cat([saturated, of_output]),
        "dead_fraction": torch.cat([dead, of_output]),
        "input_rms": measure.rms(inputs[None])[0],
        "output_spread": logits.std(2, correction=0).mean(1),
    }


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
    losses, classes = [], []
    for inputs, targets in zip(*(part.split(TEST_BATCH) for part in test_set), strict=True):
        logits = _logits(networks, inputs)
        targets = targets.expand(networks.replicates, -1)
        losses.append(_losses(training, logits, targets) * targets.shape[1])
        classes.append(_classes(training, logits))
    predicted, targets = torch.cat(classes, 1), test_set[1]
    count = targets.shape[0]
    kinds = range(max(2, networks.spec.outputs))
    shares = torch.stack([(predicted == kind).float().mean(1) for kind in kinds])
    return {
        "distinct_units": _distinct_units(networks),
        "test_loss": torch.stack(losses).sum(0) / count,
        "test_accuracy": (predicted == targets).float().mean(1),
        "predicted_share": shares.amax(0),
    }


def _logits(networks: Networks, inputs: Tensor) -> Tensor:
    """Logits [R, outputs, samples] of all networks on the same inputs [samples, features]."""
    batch = inputs.T.expand(networks.replicates, -1, -1)
    passed = forward(networks.spec, networks.parameters, networks.running, batch, training=False)
    return passed.outputs[-1]


def _chunk(records: Records, steps: list[int], epoch: int) -> Chunk:
    """Move an epoch's measurements to the host: here, once an epoch, and nowhere else."""
    arrays = {}
    for name, values in records.items():
        stacked = torch.stack(values)  # [steps, layers, R] or [steps, R]
        arrays[name] = stacked.movedim(-1, 0).numpy()
    return Chunk(np.asarray(steps), np.full(len(steps), epoch), arrays)


def _set_column(chunk: Chunk, place: int, values: dict[str, Tensor]) -> None:
    """Fill in, at one step of a chunk, what is not measured at every step."""
    arrays = cast(dict[str, np.ndarray], chunk.arrays)
    for name, value in values.items():
        array = value.movedim(-1, 0).numpy()  # [R] or [R, layers]
        shape = (len(array), len(chunk.steps), *array.shape[1:])
        arrays.setdefault(name, np.full(shape, np.nan, array.dtype))[:, place] = array


@torch.no_grad()
def _distinct_units(networks: Networks) -> Tensor:
    blocks = weight_blocks(networks.parameters.flat, networks.spec, networks.replicates)
    return torch.cat([measure.distinct_units(block) for block in blocks])


@torch.no_grad()
def _histogram(preactivations: Sequence[Tensor]) -> Tensor:
    """Count pre-activations, [R, layers, bins]."""
    values = torch.stack(list(preactivations), 1).flatten(2)  # [R, layers, units x samples]
    width = 2 * HISTOGRAM_EDGE / HISTOGRAM_BINS
    places = torch.nan_to_num((values + HISTOGRAM_EDGE) / width, nan=0.0)
    places = places.clamp(0, HISTOGRAM_BINS - 1).long()
    counts = torch.zeros(*values.shape[:2], HISTOGRAM_BINS, dtype=torch.int32)
    return counts.scatter_add_(2, places, torch.ones_like(places, dtype=torch.int32))


def _first_layer_artefacts(moments: Tensor) -> dict[str, np.ndarray]:
    start, end = moments[0], moments[-1]
    absolute = (end - start).abs()
    percent = 100 * absolute / start.abs()
    change = torch.stack([percent.mean((1, 2)), absolute.mean((1, 2))])
    artefacts = {"first_layer_change": change.numpy()}
    if start.numel() <= KEPT_WEIGHTS:
        artefacts["first_layer_weights"] = moments.numpy()
    return artefacts


@torch.no_grad()
def _plane_artefacts(networks: Networks, data: Data, dtype: torch.dtype) -> dict[str, np.ndarray]:
    """Return the data of a two-dimensional experiment and each network's answer over the plane."""
    inputs = np.concatenate([data.train_inputs, data.test_inputs])
    low, high = inputs.min(0) - 0.3, inputs.max(0) + 0.3
    axes = [torch.linspace(low[i], high[i], GRID, dtype=dtype) for i in (0, 1)]
    y, x = torch.meshgrid(axes[1], axes[0], indexing="ij")
    logits = _logits(networks, torch.stack([x.reshape(-1), y.reshape(-1)], 1))
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
