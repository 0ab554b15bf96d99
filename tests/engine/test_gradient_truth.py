"""What a run records is what a slow float64 computation finds, also where float32 gives out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.engine.plain_torch import engine_training, plain_training
from undertow.data.dataset import load
from undertow.engine import choice
from undertow.experiments import experiment
from undertow.spec.checked import with_changes
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.trace import readings
from undertow.trace.anomalies import anomalies
from undertow.trace.record import Trace, build
from undertow.trace.schema import VARIABLES

MOONS = load("moons")
EXPERIMENT = experiment("moons")
ARMS = [arm.name for arm in EXPERIMENT.arms]
SEEDS = list(range(20))

# float32 rounds each of some 20 products in a row to 6e-8, and BatchNorm subtracts nearly equal
# numbers: 1e-4 leaves room for both, and is far below what any wrong formula would do.
FLOAT32 = 1e-4


def traced(spec: NetworkSpec, training: TrainingSpec, seeds=SEEDS, dtype=torch.float32) -> Trace:
    chunks = []
    artefacts = choice.train(spec, training, MOONS, seeds, chunks.append, dtype=dtype)
    return build(
        choice.header(spec, training, MOONS, seeds, engine="torch"), chunks, artefacts=artefacts
    )


@pytest.mark.parametrize("name", ARMS)
def test_everything_recorded_of_the_first_step_is_true(name: str) -> None:
    arm = EXPERIMENT.arm(name)
    training = with_changes(arm.training, epochs=1)
    found = engine_training(arm.network, training, MOONS, SEEDS).arrays
    evaluated = {"test_loss", "test_accuracy", "predicted_share"}
    for place in (0, 7, 19):
        _, truth = plain_training(arm.network, training, MOONS, SEEDS[place], torch.float64)
        others = {"sd_dex", "median_shift_dex", "ratio_sd_dex", "ratio_shift_dex"}
        others |= {"overhead", "update_norm_se"}
        assert set(found) == set(truth) == set(VARIABLES) - others
        for variable, expected in truth.items():
            step = -1 if variable in evaluated else 0
            # A sigmoid stack's logits differ by no more than a few steps of their float32 grid.
            grid = 1.2e-7 * truth["preactivation_rms"][0, -1] if variable == "output_spread" else 0
            np.testing.assert_allclose(
                found[variable][place, step],
                expected[step],
                rtol=FLOAT32,
                atol=grid,
                err_msg=variable,
            )


def test_the_comparison_with_the_truth_can_fail() -> None:
    arm = EXPERIMENT.arm("relu")
    training = with_changes(arm.training, epochs=1)
    found = engine_training(arm.network, training, MOONS, SEEDS).arrays
    wider = with_changes(arm.network, gain=1.0002)
    _, truth = plain_training(wider, training, MOONS, SEEDS[7], torch.float64)
    for variable in ("grad_norm", "delta_norm", "weight_norm", "preactivation_rms"):
        with pytest.raises(AssertionError):
            np.testing.assert_allclose(found[variable][7, 0], truth[variable][0], rtol=FLOAT32)


@pytest.mark.parametrize(
    ("arm", "low", "high"), [("sigmoid", 5e-8, 1e-6), ("relu", 1e-3, 1e-2)], ids=["sigmoid", "relu"]
)
def test_the_first_layers_first_gradient_has_its_known_size(arm, low, high) -> None:
    chosen = EXPERIMENT.arm(arm)
    trace = traced(chosen.network, with_changes(chosen.training, epochs=1))
    assert low < np.median(readings.first_gradient(trace)) < high


def test_sigmoid_stays_stuck_and_relu_learns() -> None:
    sigmoid, relu = (
        traced(EXPERIMENT.arm(name).network, EXPERIMENT.arm(name).training)
        for name in ("sigmoid", "relu")
    )
    assert readings.is_stuck(sigmoid).all()
    assert not readings.is_stuck(relu).any()
    assert readings.test_accuracy(relu).mean() > 0.98


ONE_EPOCH = TrainingSpec(optimizer="keras_adam", epochs=1)


def deep(depth: int, **values) -> NetworkSpec:
    return NetworkSpec(
        **({"inputs": 2, "outputs": 1, "width": 10, "activation": "sigmoid"} | values), depth=depth
    )


@pytest.mark.parametrize("depth", [30, 45, 60])
def test_vanished_gradients_are_true_as_far_as_float32_reaches(depth: int) -> None:
    """Squares leave float32 at depth 35; the gradient itself, of 1e-40 at depth 60, does not."""
    seeds = SEEDS[:5]
    found = traced(deep(depth), ONE_EPOCH, seeds)
    truth = traced(deep(depth), ONE_EPOCH, seeds, torch.float64)
    for name in ("grad_norm", "delta_norm", "grad_mean_abs"):
        np.testing.assert_allclose(
            readings.first_step(found, name), readings.first_step(truth, name), rtol=1e-3
        )
    assert (readings.first_gradient(truth) < 10 ** (-0.55 * depth)).all()
    assert anomalies(found) == ()


@pytest.mark.parametrize("depth", [75, 90])
def test_a_gradient_too_small_for_float32_is_an_underflow(depth: int) -> None:
    seeds = SEEDS[:5]
    found = traced(deep(depth), ONE_EPOCH, seeds)
    truth = traced(deep(depth), ONE_EPOCH, seeds, torch.float64)
    lost = readings.first_step(found, "delta_norm") == 0
    true = readings.first_step(truth, "delta_norm")
    assert (true > 0).all()
    assert (true[lost] < 1e-43).all()
    assert lost[:, 0].all()
    events = anomalies(found)
    assert [event.replicate for event in events] == list(range(5))
    for event in events:
        assert (event.kind, event.step) == ("underflow", 1)
        assert event.detail == "too small for float32"
        highest = np.flatnonzero(lost[event.replicate]).max() + 1
        assert event.layer == f"hidden_{highest}"


def test_nothing_underflows_in_float64() -> None:
    trace = traced(deep(90), ONE_EPOCH, SEEDS[:5], torch.float64)
    assert anomalies(trace) == ()


@pytest.mark.parametrize("activation", ["relu", "hard_tanh"])
def test_a_dead_layer_is_no_underflow(activation: str) -> None:
    """Layers of one unit die often: nothing arrives below them, at any precision."""
    spec = deep(12, width=1, activation=activation, initialisation="scaled_normal(4, 1)")
    found = traced(spec, ONE_EPOCH)
    truth = traced(spec, ONE_EPOCH, dtype=torch.float64)
    zero = readings.first_step(found, "delta_norm") == 0
    np.testing.assert_array_equal(zero, readings.first_step(truth, "delta_norm") == 0)
    assert zero[:, 0].sum() >= 5
    dead = readings.first_step(found, "dead_fraction") == 1
    assert dead[zero.any(1)].any(1).all()
    assert anomalies(found) == ()


def test_a_gradient_that_overflows_is_reported_and_not_hidden() -> None:
    trace = traced(deep(12, activation="linear", gain=1e4), ONE_EPOCH, SEEDS[:5])
    assert (readings.first_step(trace, "nonfinite") > 0).any()
    assert {event.kind for event in anomalies(trace)} == {"nonfinite"}
