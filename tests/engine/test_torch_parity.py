"""One replicate among twenty against the same network trained alone, and by hand in plain PyTorch.

In float64 the two agree to 1e-7 (the shares of the test set are float32 there too; all else agrees
to 1e-10), so they compute the same thing. In float32 they differ by round-off, which 20 steps
carry on: up to 5e-5 with BatchNorm, under 1e-5 without.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.engine.plain_torch import (
    Arrays,
    PlainNetwork,
    Trained,
    engine_training,
    plain_training,
    size,
    three_classes,
)
from undertow.data.dataset import Data, load
from undertow.engine.common.initial_weights import initial_weights
from undertow.engine.common.random_streams import generator
from undertow.spec.checked import with_changes
from undertow.spec.names import ACTIVATIONS
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec

SEEDS = list(range(20))
CHOSEN = (0, 19)
ENGINES = ("torch", "lanes")
EXACT, ROUND_OFF = 1e-7, 1e-4

# The data do not fill the last batch: 200 samples by 32, 90 by 25. 20 steps and a few.
MOONS = load("moons")
THREE = three_classes()
BINARY = TrainingSpec(optimizer="sgd", learning_rate=0.1, batch_size=32, epochs=3)
CLASSES = with_changes(BINARY, loss="cross_entropy", batch_size=25, epochs=5)
MOMENTUM = {"optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9}
ADAM = {"optimizer": "adam", "learning_rate": 1e-3}
KERAS_ADAM = {"optimizer": "keras_adam", "learning_rate": 1e-3, "epsilon": 1e-7}
OPTIMIZERS = {"sgd": {}, "momentum": MOMENTUM, "adam": ADAM, "keras_adam": KERAS_ADAM}
SMALL = NetworkSpec(inputs=2, outputs=1, depth=4, width=7, activation="tanh")
LONG = ((1, 2), (1, 4), (2, 4))

FLOWS = {
    "plain": {},
    "batch": {"normalisation": "batch"},
    "layer": {"normalisation": "layer"},
    "tensor": {"normalisation": "tensor"},
    "identity skips": {"skips": "identity"},
    "long skips": {"skips": LONG, "branch_scale": 0.3},
    "no branch": {"skips": LONG, "branch_scale": 0.0},
    "all at once": {"normalisation": "batch", "skips": LONG, "branch_scale": 0.5},
}
STEADY = ("grad_norm", "delta_norm", "weight_norm", "loss")  # neither shares nor differences
TASKS = {"binary": (MOONS, BINARY, {}), "classes": (THREE, CLASSES, {"inputs": 5, "outputs": 3})}


def assert_alike(
    found: Trained, place: int, network: PlainNetwork, truth: Arrays, tolerance: float
) -> None:
    """Compare every variable of every step, and every parameter at the end."""
    assert set(found.arrays) == set(truth)
    for name, expected in truth.items():
        # What is applied to a weight is rounded to the weight's own grid.
        grid = np.finfo(np.float64 if tolerance == EXACT else np.float32).eps
        least = grid * truth["weight_norm"].max() if name == "update_norm" else 0
        np.testing.assert_allclose(
            found.arrays[name][place], expected, rtol=tolerance, atol=least, err_msg=name
        )
    for ours, theirs in pairs(found, place, network):
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance / 10)


def pairs(found: Trained, place: int, network: PlainNetwork) -> Iterator[tuple[Tensor, Tensor]]:
    """Each parameter of one replicate beside the plain network's, running statistics too."""
    parameters, running = found.parameters, found.running
    for layer, linear in enumerate(network.layers):
        yield parameters.weights[layer][place].detach(), linear.weight.detach()
        yield parameters.biases[layer][place, :, 0].detach(), linear.bias.detach()
    for layer, norm in enumerate(network.norms):
        if isinstance(norm, nn.BatchNorm1d | nn.LayerNorm):
            yield parameters.scales[layer][place, :, 0].detach(), norm.weight.detach()
            yield parameters.shifts[layer][place, :, 0].detach(), norm.bias.detach()
        if isinstance(norm, nn.BatchNorm1d):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            yield running.means[layer][place, :, 0], norm.running_mean
            yield running.variances[layer][place, :, 0], norm.running_var


def compare(
    spec: NetworkSpec,
    training: TrainingSpec,
    data: Data,
    dtype: torch.dtype,
    tolerance: float,
    engine: str = "torch",
) -> None:
    found = engine_training(spec, training, data, SEEDS, dtype, engine)
    for place in CHOSEN:
        network, truth = plain_training(spec, training, data, SEEDS[place], dtype)
        assert len(truth["loss"]) >= 20
        own = (
            0.0 if dtype == torch.float64 else own_error(spec, training, data, SEEDS[place], truth)
        )
        assert_alike(found, place, network, truth, max(tolerance, own))


def own_error(
    spec: NetworkSpec, training: TrainingSpec, data: Data, seed: int, single: Arrays
) -> float:
    """Return how far the plain network in float32 comes from itself in float64, at worst.

    Two trainings in float32 cannot be asked to agree better than that.
    """
    _, double = plain_training(spec, training, data, seed, torch.float64)
    return max(
        float(np.max(np.abs(single[name] - exact) / np.where(exact == 0, 1, np.abs(exact))))
        for name, exact in double.items()
        if name in STEADY
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)
def test_every_flow_and_optimizer_is_the_plain_one_in_float64(flow, optimizer) -> None:
    spec = with_changes(SMALL, inputs=5, outputs=3, **flow)
    compare(spec, with_changes(CLASSES, **optimizer), THREE, torch.float64, EXACT)


# Not BatchNorm with Adam: the gradient of a bias before BatchNorm is 0 but for round-off, of which
# Adam makes whole steps. In float64, above, they are smaller than its epsilon.
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("flow", "optimizer"),
    [
        pytest.param(FLOWS[flow], OPTIMIZERS[optimizer], id=f"{flow}-{optimizer}")
        for flow, optimizer in product(FLOWS, OPTIMIZERS)
        if "adam" not in optimizer or FLOWS[flow].get("normalisation") != "batch"
    ],
)
def test_every_flow_and_optimizer_is_the_plain_one_to_round_off(flow, optimizer, engine) -> None:
    spec, training = with_changes(SMALL, **flow), with_changes(BINARY, **optimizer)
    compare(spec, training, MOONS, torch.float32, ROUND_OFF, engine)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_the_plain_one(activation: str, task, engine: str) -> None:
    data, training, shape = task
    spec = with_changes(SMALL, activation=activation, **shape)
    compare(spec, with_changes(training, **MOMENTUM), data, torch.float32, ROUND_OFF, engine)


@pytest.mark.parametrize("batch_size", [1, 7, 89, 90, 500])
def test_any_batch_size_is_the_plain_one(batch_size: int) -> None:
    spec = with_changes(SMALL, inputs=5, outputs=3)
    training = with_changes(CLASSES, batch_size=batch_size, epochs=max(1, min(20, batch_size)))
    compare(spec, training, THREE, torch.float64, EXACT)


def test_a_large_test_set_is_measured_whole() -> None:
    """The engine measures it in parts of 1,000, of which the last is smaller."""
    places = np.random.default_rng(0).integers(31, size=2345)
    large = replace(
        THREE, test_inputs=THREE.test_inputs[places], test_targets=THREE.test_targets[places]
    )
    compare(with_changes(SMALL, inputs=5, outputs=3), CLASSES, large, torch.float64, EXACT)


@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)
def test_a_large_test_set_is_answered_alike_whatever_the_neighbours(flow) -> None:
    """The more replicates, the smaller the parts that a test set is cut into."""
    large = replace(
        MOONS,
        test_inputs=np.tile(MOONS.test_inputs, (40, 1)) + np.linspace(0, 1, 2000)[:, None],
        test_targets=np.tile(MOONS.test_targets, 40),
    )
    spec = with_changes(SMALL, width=64, **flow)
    among = engine_training(spec, BINARY, large, SEEDS, torch.float64)
    alone = engine_training(spec, BINARY, large, SEEDS[:1], torch.float64)
    np.testing.assert_allclose(
        among.arrays["test_loss"][0], alone.arrays["test_loss"][0], rtol=EXACT
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)
def test_a_replicate_is_what_it_is_alone(flow, engine: str) -> None:
    spec, training = with_changes(SMALL, **flow), with_changes(BINARY, **MOMENTUM)
    among = engine_training(spec, training, MOONS, SEEDS, engine=engine)
    backwards = engine_training(spec, training, MOONS, SEEDS[::-1], engine=engine)
    for place in CHOSEN:
        alone = engine_training(spec, training, MOONS, [SEEDS[place]], engine=engine)
        for name, array in among.arrays.items():
            for other in (alone.arrays[name][0], backwards.arrays[name][::-1][place]):
                np.testing.assert_allclose(array[place], other, rtol=ROUND_OFF, err_msg=name)
        for ours, theirs in zip(among.parameters.leaves, alone.parameters.leaves, strict=True):
            torch.testing.assert_close(ours[place], theirs[0], rtol=ROUND_OFF, atol=1e-6)


def test_moons_net_against_a_loop_written_out() -> None:
    """The shortest program a reader would write for the same 21 steps."""
    spec = NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="relu")
    training = with_changes(BINARY, **ADAM)
    found = engine_training(spec, training, MOONS, SEEDS)
    linears = [nn.Linear(*shape) for shape in spec.layer_shapes]
    for linear, (weights, biases) in zip(linears, initial_weights(spec, 13), strict=True):
        linear.weight.data, linear.bias.data = torch.tensor(weights.T), torch.tensor(biases)
    hidden = [part for linear in linears[:-1] for part in (linear, nn.ReLU())]
    model = nn.Sequential(*hidden, linears[-1])
    adam = torch.optim.Adam(model.parameters(), lr=1e-3)
    inputs = torch.tensor(MOONS.train_inputs)
    targets = torch.tensor(MOONS.train_targets, dtype=torch.float32)[:, None]
    order = generator(13, "order")
    losses, first, last = [], [], []
    for _ in range(3):
        for samples in torch.tensor(order.permutation(200)).split(32):
            loss = nn.functional.binary_cross_entropy_with_logits(
                model(inputs[samples]), targets[samples]
            )
            adam.zero_grad()
            loss.backward()
            losses.append(loss.item())
            first.append(size(linears[0].weight.grad))
            last.append(size(linears[-1].weight.grad))
            adam.step()
    np.testing.assert_allclose(found.arrays["loss"][13], losses, rtol=ROUND_OFF)
    np.testing.assert_allclose(found.arrays["grad_norm"][13, :, 0], first, rtol=ROUND_OFF)
    np.testing.assert_allclose(found.arrays["grad_norm"][13, :, -1], last, rtol=ROUND_OFF)
    for ours, linear in zip(found.parameters.weights, linears, strict=True):
        torch.testing.assert_close(ours[13], linear.weight, rtol=ROUND_OFF, atol=1e-6)


@pytest.mark.parametrize(
    "wrong",
    [
        {"network": {"skips": ((1, 2),)}},
        {"network": {"normalisation": "layer"}},
        {"network": {"activation": "hard_tanh"}},
        {"training": {"momentum": 0.91}},
        {"training": {"batch_size": 33}},
        {"training": {"learning_rate": 0.0501}},
        {"seed": 14},
    ],
    ids=str,
)
def test_these_comparisons_can_fail(wrong) -> None:
    training = with_changes(BINARY, **MOMENTUM)
    found = engine_training(SMALL, training, MOONS, SEEDS)
    network, truth = plain_training(
        with_changes(SMALL, **wrong.get("network", {})),
        with_changes(training, **wrong.get("training", {})),
        MOONS,
        wrong.get("seed", 13),
    )
    with pytest.raises(AssertionError):
        assert_alike(found, 13, network, truth, ROUND_OFF)


def test_the_comparison_of_parameters_can_fail() -> None:
    spec = with_changes(SMALL, normalisation="batch")
    found = engine_training(spec, BINARY, MOONS, SEEDS)
    network, truth = plain_training(spec, BINARY, MOONS, 13)
    assert_alike(found, 13, network, truth, ROUND_OFF)
    norm = network.norms[-1]
    assert isinstance(norm, nn.BatchNorm1d)
    assert norm.running_var is not None
    norm.running_var[-1] *= 1.001
    with pytest.raises(AssertionError):
        assert_alike(found, 13, network, truth, ROUND_OFF)
