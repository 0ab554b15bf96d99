"""The PyTorch engine: (spec, training, data, seeds) in, chunks of a trace out.

R networks train in one pass: their parameters carry a replicate axis, and each has a loss and so a
gradient of its own. No other module knows how a batch of replicates
is trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import cast

import numpy as np
import torch
from torch import Tensor

from undertow.lab.batches import Batch, Samples, batch, samples
from undertow.lab.data import Data
from undertow.lab.gradients import clipped
from undertow.lab.losses import classes, derivative, losses
from undertow.lab.moments import Measured, Networks, distinct_units, histogram, steps_together
from undertow.lab.network import backward, forward
from undertow.lab.normalisation import running_statistics
from undertow.lab.optimizers import Change, optimizer
from undertow.lab.parameters import initial_parameters
from undertow.lab.passes import Pass, Passes, passes
from undertow.lab.randomness import batch_orders, generator
from undertow.lab.recorder import Recorder
from undertow.lab.stages import freeze, keep_trained, stages
from undertow.lab.threads import torch_threads
from undertow.lab.way import way_back
from undertow.spec import NetworkSpec, TrainingSpec
from undertow.trace.record import Chunk, Header, Layer, provenance
from undertow.trace.way import packed

VERSION = 2  # goes up when the same seed no longer gives the same numbers, to round-off
FIRST_STEPS = 10  # always recorded
GRID = 60  # points along each side of the decision grid
MARGIN = 0.1  # of the data's larger side, around the plane that is drawn
KEPT_WEIGHTS = 2_000  # a first layer of more numbers, of one network, is not kept whole
TENSOR_SAMPLES = 512  # answered together where answers depend on one another
EVEN = 64  # samples, of which parts are multiples: products of odd lengths are slower
# Tested together: so many activations of a layer, or of few networks so many samples, which keep
# a layer in the cache.
TEST_NUMBERS, CACHED_NUMBERS, TEST_SAMPLES = 250_000, 64_000, 512


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
    drawn_from: Sequence[NetworkSpec] | None = None,
    dtype: torch.dtype = torch.float32,
    before_step: Callable[[], None] = lambda: None,
    after_epoch: Callable[[Callable[[], dict[str, np.ndarray]]], None] = lambda _: None,
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
    neighbours, to float32 round-off. `drawn_from` has, for each seed, the network whose first
    weights it gets, where that is not `spec` itself: all else is as `spec` says. `before_step` is
    called before every step, and may hold the training up. `after_epoch` is called after each with
    a function that draws the plane as it is then, for those who want to see it.
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
            networks = _networks(stage.network, drawn_from, seeds, dtype, number, networks)
            parameters = networks.parameters
            change = optimizer(training, parameters.flat)
            recorder = Recorder(networks, training, _rooms(networks, training))
            testing = _rooms(networks, None)
            distinct_at_birth = distinct_units(networks)
            first_layer = first_layer or [parameters.weights[0].mT.clone()]
            for _ in range(training.epochs):
                epoch += 1
                order = torch.from_numpy(batch_orders(orders, len(data.train_targets)))
                for places in order.split(training.batch_size, dim=1):
                    before_step()
                    step += 1
                    wanted = step <= FIRST_STEPS or 0 in (step % every, step % steps_an_epoch)
                    chosen = batch(train_set, places)
                    at = recorder.room(chosen, step if wanted else None)
                    if step == 1 and 1 < spec.depth == stage.network.depth:
                        crossed = packed(
                            way_back(spec, training, parameters, chosen.inputs, chosen.targets)
                        )
                    _step(networks, training, change, chosen, at, stage.frozen, record=wanted)
                    if step in (1, last):
                        histograms.append(histogram(at.preactivations))
                chunk = _chunk(*recorder.taken(), epoch)
                _set_column(chunk, -1, _evaluate(networks, training, test_set, testing))
                if epoch == 1:
                    _set_column(chunk, 0, {"distinct_units": distinct_at_birth})
                    first_layer.append(parameters.weights[0].mT.clone())
                receive(_of_whole(chunk, stage.network.depth, spec.depth))
                after_epoch(partial(_plane_artefacts, networks, data, testing))
        assert networks is not None
        first_layer.append(networks.parameters.weights[0].mT.clone())
        return {
            **_first_layer_artefacts(torch.stack(first_layer)),
            "preactivation_histogram": _joined(histograms),
            **crossed,
            **_plane_artefacts(networks, data, testing),
        }


def _networks(
    spec: NetworkSpec,
    drawn_from: list[NetworkSpec],
    seeds: list[int],
    dtype: torch.dtype,
    stage: int,
    trained: Networks | None,
) -> Networks:
    """Make the networks of a stage; what an earlier one trained is kept."""
    drawn_from = [each.model_copy(update={"depth": spec.depth}) for each in drawn_from]
    parameters = initial_parameters(spec, seeds, dtype, stage, drawn_from)
    running = running_statistics(spec, len(seeds), dtype)
    if trained:
        keep_trained(parameters, trained.parameters)
        for ours, theirs in zip((*running,), (*trained.running,), strict=True):
            ours[: len(theirs)] = theirs
    return Networks(spec, parameters, running, len(seeds))


def _rooms(networks: Networks, training: TrainingSpec | None) -> Callable[[int], Passes]:
    """Give the passes for a batch size, made once; without a training, for the logits alone."""
    spec, replicates, dtype = networks.spec, networks.replicates, networks.parameters.flat.dtype
    steps = steps_together(spec, training, replicates) if training else 1
    return cache(
        lambda batch: passes(spec, replicates, batch, dtype, steps, scratch=training is None)
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
        gradient = clipped(at.gradient, training.clip, spec, networks.replicates)
    if record:
        at.weights.copy_(parameters.flat)
    change(gradient, at.update.flat)
    freeze(at.update, frozen)
    parameters.flat.add_(at.update.flat)


def _evaluate(
    networks: Networks, training: TrainingSpec, test_set: Samples, rooms: Callable[[int], Passes]
) -> dict[str, Tensor]:
    """Measure what is measured once an epoch: the test set, [R], and equal units, [layers, R]."""
    logits = torch.cat(list(_logits(networks, test_set.inputs, rooms)), 2)
    targets = test_set.targets.expand(networks.replicates, -1)
    predicted = classes(training.loss, logits)
    kinds = range(max(2, networks.spec.outputs))
    shares = torch.stack([(predicted == kind).float().mean(1) for kind in kinds])
    return {
        "distinct_units": distinct_units(networks),
        "test_loss": losses(training.loss, logits, targets),
        "test_accuracy": (predicted == targets).float().mean(1),
        "predicted_share": shares.amax(0),
    }


def _logits(networks: Networks, inputs: Tensor, rooms: Callable[[int], Passes]) -> Iterator[Tensor]:
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


def _chunk(measured: Measured, steps: list[int], epoch: int) -> Chunk:
    """Move an epoch's measurements to the host: here, once an epoch, and nowhere else."""
    arrays = {name: part.movedim(-1, 0).numpy() for name, part in measured.items()}
    return Chunk(np.asarray(steps), np.full(len(steps), epoch), arrays)


def _set_column(chunk: Chunk, place: int, values: dict[str, Tensor]) -> None:
    """Fill in, at one step of a chunk, what is not measured at every step."""
    arrays = cast(dict[str, np.ndarray], chunk.arrays)
    for name, value in values.items():
        array = value.movedim(-1, 0).numpy()  # [R] or [R, layers]
        shape = (len(array), len(chunk.steps), *array.shape[1:])
        arrays.setdefault(name, np.full(shape, np.nan, array.dtype))[:, place] = array


def _of_whole(chunk: Chunk, depth: int, whole: int) -> Chunk:
    """Place the layers of a network of `depth` hidden layers among those of the whole one."""
    if depth == whole:
        return chunk
    arrays = {}
    for name, array in chunk.arrays.items():
        arrays[name] = array
        if array.ndim == 3:
            arrays[name] = np.full((*array.shape[:2], whole + 1), np.nan, array.dtype)
            arrays[name][..., [*range(depth), whole]] = array
    return Chunk(chunk.steps, chunk.epochs, arrays)


def _joined(histograms: list[Tensor]) -> np.ndarray:
    """Stack the first and the last step's histograms; a layer that was not there counted 0."""
    first, last = (found.numpy() for found in (histograms[0], histograms[-1]))
    whole = np.zeros_like(last)
    whole[:, : first.shape[1]] = first
    return np.stack([whole, last])


def _first_layer_artefacts(moments: Tensor) -> dict[str, np.ndarray]:
    start, end = moments[0], moments[-1]
    absolute = (end - start).abs()
    percent = 100 * absolute / start.abs()
    change = torch.stack([percent.mean((1, 2)), absolute.mean((1, 2))])
    artefacts = {"first_layer_change": change.numpy()}
    if start[0].numel() <= KEPT_WEIGHTS:
        artefacts["first_layer_weights"] = moments.numpy()
    return artefacts


def _plane_artefacts(
    networks: Networks, data: Data, rooms: Callable[[int], Passes]
) -> dict[str, np.ndarray]:
    """Return the data of a two-dimensional experiment and each network's answer over the plane."""
    if networks.spec.inputs != 2:
        return {}
    inputs = np.concatenate([data.train_inputs, data.test_inputs])
    margin = MARGIN * float(np.ptp(inputs, 0).max())
    low, high = inputs.min(0) - margin, inputs.max(0) + margin
    dtype = networks.parameters.flat.dtype
    axes = [torch.linspace(low[i], high[i], GRID, dtype=dtype) for i in (0, 1)]
    y, x = torch.meshgrid(axes[1], axes[0], indexing="ij")
    points = torch.stack([x.reshape(-1), y.reshape(-1)], 1)
    logits = torch.cat(list(_logits(networks, points, rooms)), 2)
    tested = np.zeros(len(inputs), np.uint8)
    tested[len(data.train_inputs) :] = 1
    return {
        "decision_grid": torch.sigmoid(logits[:, -1]).view(-1, GRID, GRID).numpy(),
        "decision_extent": np.array([low[0], high[0], low[1], high[1]], np.float32),
        "data_inputs": inputs,
        "data_targets": np.concatenate([data.train_targets, data.test_targets]),
        "data_test": tested,
    }


def _threads(spec: NetworkSpec, training: TrainingSpec) -> int:
    """One thread for small nets: on a busy machine two made them 10 to 50 times slower."""
    products = max(fan_in * fan_out for fan_in, fan_out in spec.layer_shapes)
    return torch.get_num_threads() if products * training.batch_size >= 1 << 20 else 1
