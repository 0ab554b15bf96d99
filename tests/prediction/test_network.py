"""Predictions from specifications against networks that the laboratory draws."""

import numpy as np
import pytest
import torch

import undertow as ut
from undertow.data.dataset import load
from undertow.engine import choice
from undertow.engine.common.initial_weights import initial_weights
from undertow.errors import SpecError
from undertow.prediction.from_spec import variances

MOONS, DIGITS = load("moons"), load("digits")
NETWORKS = 200
PLAIN = ut.NetworkSpec(inputs=64, outputs=10, depth=6, width=50, activation="tanh")


def measured(spec, data=DIGITS, loss="cross_entropy", batch=32):
    """Log10 of the root mean square over networks of every norm at step 1, all on one batch."""
    one = data.first(batch)
    chunks = []
    choice.train(
        spec,
        ut.TrainingSpec(loss=loss, batch_size=batch, epochs=1),
        one,
        range(NETWORKS),
        chunks.append,
        dtype=torch.float64,
    )
    arrays = chunks[0].arrays
    return {
        name: np.log10(np.sqrt(np.mean(arrays[name][:, 0] ** 2, 0)))
        for name in ("grad_norm", "delta_norm", "preactivation_rms")
    }


def predicted(spec, data=DIGITS, loss="cross_entropy", batch=32):
    one = data.first(batch)
    dataset = ut.predict(spec, one.train_inputs, targets=one.train_targets, loss=loss).to_xarray()
    return {
        name: np.log10(dataset[name].values[0, 0])
        for name in ("grad_norm", "delta_norm", "preactivation_rms")
    }


CASES = {
    "tanh": {},
    "sigmoid": {"activation": "sigmoid"},
    "relu, PyTorch": {"activation": "relu", "initialisation": "torch_default"},
    "selu, LeCun": {"activation": "selu", "initialisation": "lecun_normal"},
    "elu, normal": {"activation": "elu", "initialisation": "normal(0.1)"},
    "gain and head": {"gain": 1.2, "head_initialisation": "he_uniform"},
    "tanh, critical": {"initialisation": "scaled_normal(1.76, 0.05)"},
    "centred sigmoid": {"activation": "sigmoid", "initialisation": "centred_normal(16)"},
    "batch norm": {"normalisation": "batch"},
    "layer norm": {"normalisation": "layer"},
    "tensor norm": {"normalisation": "tensor", "activation": "sigmoid"},
    "skips": {"skips": ((1, 3), (4, 6))},
    "residual": {"skips": "identity", "branch_scale": 0.5},
    "skips of sigmoids": {"skips": ((1, 3), (4, 6)), "activation": "sigmoid"},
}


@pytest.mark.parametrize("case", CASES)
def test_root_mean_squares_of_every_layer(case):
    spec = ut.NetworkSpec(**(PLAIN.model_dump() | CASES[case]))
    truth, found = measured(spec), predicted(spec)
    for name, values in found.items():
        assert np.abs(values - truth[name]).max() < 0.1, name


def test_this_comparison_can_fail():
    other = ut.NetworkSpec(**(PLAIN.model_dump() | {"gain": 1.3}))
    assert np.abs(predicted(other)["grad_norm"] - measured(PLAIN)["grad_norm"]).max() > 0.1


def test_one_output_is_binary_and_moons_is_predicted():
    spec = ut.NetworkSpec(inputs=2, outputs=1, depth=5, width=50, activation="tanh")
    truth = measured(spec, MOONS, "binary_cross_entropy")
    for loss in ("binary_cross_entropy", "cross_entropy"):
        found = predicted(spec, MOONS, loss)
        assert np.abs(found["grad_norm"] - truth["grad_norm"]).max() < 0.1


@pytest.mark.parametrize(
    "name",
    [
        *("glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform"),
        *("lecun_normal", "torch_default", "orthogonal", "normal(0.3)", "scaled_normal(2, 0.5)"),
        "centred_normal(2)",
    ],
)
@pytest.mark.parametrize("shape", [(300, 200), (200, 300)])
def test_variances_are_those_that_are_drawn(name, shape):
    spec = ut.NetworkSpec(
        inputs=shape[0],
        outputs=5,
        depth=1,
        width=shape[1],
        activation="tanh",
        initialisation=name,
        gain=1.5,
    )
    draws = [initial_weights(spec, seed)[0] for seed in range(5)]
    weight, bias = variances(name, *shape, gain=1.5)
    assert shape[0] * np.mean([w**2 for w, _ in draws]) == pytest.approx(weight, rel=0.02)
    assert np.mean([b**2 for _, b in draws]) == pytest.approx(bias, rel=0.15)


def test_a_trace_like_any_other():
    trace = ut.predict(PLAIN, DIGITS.train_inputs[:16])
    dataset = trace.to_xarray()
    assert trace.source == "predicted"
    assert dict(dataset.sizes) == {"replicate": 1, "step": 1, "layer": 7}
    assert list(dataset["layer"].values) == list(PLAIN.layer_names)
    assert list(dataset["fan_in"].values) == [64, *[50] * 6]
    assert (dataset["sd_dex"] > 0).all()
    assert (dataset["median_shift_dex"] < 0).all()
    assert trace.attributes["caution"] == ""


def test_the_scatter_covers_the_networks_it_speaks_of():
    """Of the ratio to the last hidden layer's delta this is exact; for a batch it is wide."""
    one = DIGITS.first(32)
    chunks = []
    training = ut.TrainingSpec(loss="cross_entropy", batch_size=32, epochs=1)
    choice.train(PLAIN, training, one, range(NETWORKS), chunks.append)
    found = ut.predict(PLAIN, one.train_inputs, targets=one.train_targets).to_xarray()
    centre = np.log10(found["grad_norm"]) + found["median_shift_dex"]
    off = np.log10(chunks[0].arrays["grad_norm"][:, 0]) - centre.values[0, 0]
    inside = np.abs(off) < 2 * found["sd_dex"].values[0, 0]
    assert (inside.mean(0) > 0.93).all()


def test_fluctuations_that_grow_are_said():
    spec = ut.NetworkSpec(**(PLAIN.model_dump() | {"activation": "gelu", "gain": 2.5}))
    caution = ut.predict(spec, DIGITS.train_inputs[:16]).attributes["caution"]
    assert caution.startswith("elasticity")


def test_without_a_formula_for_the_scatter_there_is_none():
    spec = ut.NetworkSpec(**(PLAIN.model_dump() | {"normalisation": "batch"}))
    assert "sd_dex" not in ut.predict(spec, DIGITS.train_inputs[:16]).to_xarray()


GOOD = np.ones((4, 64)) + np.eye(4, 64)


@pytest.mark.parametrize(
    ("network", "inputs", "options", "message"),
    [
        (3, GOOD, {}, "network of type int: give a NetworkSpec or a PyTorch module"),
        (PLAIN, GOOD[:, :5], {}, "inputs of shape (4, 5): 5 features, and the network takes 64"),
        (PLAIN, GOOD[0], {}, "inputs of shape (64,): must be [batch, features]"),
        (PLAIN, GOOD * np.nan, {}, "inputs: has NaN or infinite entries; look at how the batch"),
        (PLAIN, "many", {}, "inputs: must be numbers, an array or a tensor [batch, ...]"),
        (
            PLAIN,
            GOOD,
            {"targets": [0, 1]},
            "targets of shape (2,): must be [4], one class a sample",
        ),
        (PLAIN, GOOD, {"loss": "hinge"}, "unknown loss 'hinge'"),
        (
            ut.NetworkSpec(**(PLAIN.model_dump() | {"gradient": "unit"})),
            GOOD,
            {},
            "gradient = 'unit': theory predicts plain gradients only",
        ),
    ],
)
def test_what_cannot_be_is_one_line(network, inputs, options, message):
    with pytest.raises(SpecError) as caught:
        ut.predict(network, inputs, **options)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
