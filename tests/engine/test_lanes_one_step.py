"""One step of every network that lanes train, against autograd in float64."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.engine.plain_torch import PlainNetwork, plain_loss, three_classes
from undertow.data.dataset import Data, load
from undertow.engine.common import stages
from undertow.engine.common.batches import samples
from undertow.engine.lanes.layout import from_lanes, pad_to_blocks
from undertow.engine.lanes.networks import LaneAnswers, LaneInputs, LaneRecord, Lanes
from undertow.spec.checked import with_changes
from undertow.spec.names import ACTIVATIONS, NORMALISATIONS
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec

WIDTHS = (2, 7, 10, 33, 128)
SKIPS = {"no skips": {}, "skips": {"skips": ((1, 2), (1, 3), (2, 3)), "branch_scale": 0.5}}
LOSSES = {
    "binary_cross_entropy": (load("moons"), {"inputs": 2, "outputs": 1}),
    "cross_entropy": (three_classes(), {"inputs": 5, "outputs": 3}),
}
OPTIMIZERS = {
    "sgd": {"optimizer": "sgd"},
    "momentum": {"optimizer": "sgd", "momentum": 0.9},
    "adam": {"optimizer": "adam"},
    "keras_adam": {"optimizer": "keras_adam"},
}
ENOUGH = 2e-4  # relative error
BATCH, SEED = 24, 3
NEARBY = 8  # data sets that differ by a thousandth
SGD = TrainingSpec(optimizer="sgd", learning_rate=1.0)


class Step(NamedTuple):
    """What one step found: every gradient, by kind and layer, and the size of each change."""

    gradients: list[Tensor]
    update_norms: np.ndarray
    grad_norms: np.ndarray
    delta_norms: np.ndarray


def network(activation: str, **changes) -> NetworkSpec:
    chosen = {"depth": 3, "activation": activation, "initialisation": "torch_default"}
    return NetworkSpec(**(chosen | changes))


def in_lanes(spec: NetworkSpec, training: TrainingSpec, data: Data) -> Step:
    """One step; the first moment is the gradient, times 1 - beta1 of Adam."""
    made = stages.make_stage(spec, [spec], [SEED], torch.float32, 0, None)
    lanes = Lanes(made, training, 0, threads=1)
    record, test = LaneRecord(lanes, range(1, 2), 1, 1, 1), LaneAnswers(lanes, data.test_inputs, 1)
    squares = samples(data.train_inputs, data.train_targets, torch.float32).squares
    orders = pad_to_blocks(np.arange(BATCH, dtype=np.int32)[None])[None]
    lanes.train(LaneInputs(data, squares.numpy(), max(2, spec.outputs)), orders, record, test, 0, 1)
    measured = record.chunks(1)[0].arrays
    gradients = []
    moment, start = lanes.moments[0], 0
    if moment.size:
        flat = torch.from_numpy(from_lanes(moment, 1)[0])
        flat = flat / (1 - training.beta1) if training.optimizer != "sgd" else flat
        for leaf in made.parameters.leaves:
            gradients.append(flat[start : start + leaf.numel()])
            start += leaf.numel()
    named = (measured[name][0, 0] for name in ("update_norm", "grad_norm", "delta_norm"))
    return Step(gradients, *named)


def by_autograd(
    spec: NetworkSpec, training: TrainingSpec, data: Data, dtype: torch.dtype = torch.float64
) -> Step:
    """The same step, written plainly; its changes are those of SGD with a rate of 1."""
    net = PlainNetwork(spec, SEED, dtype)
    net.train()
    inputs = torch.from_numpy(data.train_inputs[:BATCH]).to(dtype)
    logits = net(inputs)
    for output in net.outputs:
        output.retain_grad()
    plain_loss(training, logits, torch.from_numpy(data.train_targets[:BATCH])).backward()
    norms = [norm for norm in net.norms if hasattr(norm, "weight")]
    leaves = [
        *(layer.weight for layer in net.layers),
        *(layer.bias for layer in net.layers),
        *(norm.weight for norm in norms),
        *(norm.bias for norm in norms),
    ]
    gradients = [leaf.grad.flatten() for leaf in leaves]
    sizes = np.array([norm(layer.weight.grad) for layer in net.layers])
    return Step(gradients, sizes, sizes, np.array([norm(output.grad) for output in net.outputs]))


def norm(of: Tensor | None) -> float:
    assert of is not None
    return of.double().square().sum().sqrt().item()


def changed_by(training: TrainingSpec, gradient: Tensor) -> float:
    """The norm of a first change: momentum has none yet, Adam corrects its moments."""
    rate, epsilon = training.learning_rate, training.epsilon
    if training.optimizer == "sgd":
        return rate * norm(gradient)
    if training.optimizer == "keras_adam":
        epsilon /= (1 - training.beta2) ** 0.5
    return rate * norm(gradient / (gradient.abs() + epsilon))


def errors(found: Step, true: Step, training: TrainingSpec) -> dict[str, float]:
    """Return the relative error of each gradient and of each kind of norm."""
    layers = len(true.grad_norms)
    sizes = [norm(gradient) for gradient in true.gradients]
    errors = {}
    for place, ours in enumerate(found.gradients):
        # A bias before a normalisation has a gradient of 0 but for round-off.
        size = max(sizes[place], sizes[place % layers]) or 1.0
        errors[f"gradient {place}"] = norm(ours.double() - true.gradients[place]) / size
    updates = [changed_by(training, gradient) for gradient in true.gradients[:layers]]
    for name, ours, theirs in (
        ("update_norm", found.update_norms, np.array(updates)),
        ("grad_norm", found.grad_norms, true.grad_norms),
        ("delta_norm", found.delta_norms, true.delta_norms),
    ):
        errors[name] = float(np.max(np.abs(ours - theirs) / np.where(theirs == 0, 1, theirs)))
    return errors


def faults(found: Step, true: Step, training: TrainingSpec, allowed: float = ENOUGH) -> list[str]:
    """Name what is further from the truth than allowed."""
    off = errors(found, true, training).items()
    return [f"{name}: {error:.1e}" for name, error in off if not error < allowed]


def own_error(spec: NetworkSpec, training: TrainingSpec, data: Data) -> float:
    """Return how far autograd in float32 is off, at worst, on the data and on data hardly larger.

    On one data set alone its round-off may happen to cancel, on one processor and not on another.
    """
    worst = 0.0
    for number in range(NEARBY):
        near = replace(data, train_inputs=data.train_inputs * np.float32(1 + number / 1000))
        single, true = (
            by_autograd(spec, training, near, kind) for kind in (torch.float32, torch.float64)
        )
        worst = max(worst, *errors(single, true, training).values())
    return worst


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.usefixtures("instruction_set")
def test_one_step_is_autograds(width: int, normalisation: str) -> None:
    wrong = []
    for activation, skips, loss in product(ACTIVATIONS, SKIPS, LOSSES):
        data, shape = LOSSES[loss]
        spec = network(
            activation, width=width, normalisation=normalisation, **shape, **SKIPS[skips]
        )
        plain = with_changes(SGD, loss=loss)
        true = by_autograd(spec, plain, data)
        allowed = ENOUGH
        if width == 2:
            # Two units normalised over each other are 1 and -1 whatever they were, and a gradient
            # through them is what is left of equal numbers: autograd in float32 is as far off.
            allowed = max(ENOUGH, 5 * own_error(spec, plain, data))
        for name, optimizer in OPTIMIZERS.items():
            training = TrainingSpec(loss=loss, batch_size=BATCH, epochs=1, **optimizer)
            found = in_lanes(spec, training, data)
            assert len(found.gradients) in (0, len(true.gradients))
            wrong += [
                f"{activation}, {skips}, {loss}, {name}: {fault}"
                for fault in faults(found, true, training, allowed)
            ]
    assert wrong == []


@pytest.mark.parametrize(
    "wrong", [{"activation": "elu"}, {"gain": 1.001}, {"branch_scale": 0.501}], ids=str
)
def test_the_comparison_can_fail(wrong) -> None:
    data, shape = LOSSES["cross_entropy"]
    spec = network("selu", width=10, normalisation="layer", **shape, **SKIPS["skips"])
    training = TrainingSpec(loss="cross_entropy", batch_size=BATCH, optimizer="adam")
    true = by_autograd(spec, training, data)
    assert not faults(in_lanes(spec, training, data), true, training)
    assert faults(in_lanes(with_changes(spec, **wrong), training, data), true, training)
