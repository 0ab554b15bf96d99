"""Batch gradients against networks drawn, run forwards and backwards by hand."""

from itertools import pairwise

import numpy as np
import pytest

from tests.theory.one_batch import gradients
from undertow import errors
from undertow.activations.activation import find
from undertow.theory.batch.output_errors import output_error

HIDDEN, WIDTH, BATCH, FEATURES, CLASSES = 10, 100, 32, 64, 10
KERAS, TORCH, HE = "keras", "torch", "he"


def mixture(seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(BATCH) % CLASSES
    x = rng.standard_normal((CLASSES, FEATURES))[labels] + rng.standard_normal((BATCH, FEATURES))
    return x / np.sqrt(2), labels


def variances(initialisation, widths):
    """Weight variance (fan_in Var W) and bias variance of each layer."""
    fan_in, fan_out = np.array(widths[:-1], float), np.array(widths[1:], float)
    if initialisation == KERAS:
        return 2 * fan_in / (fan_in + fan_out), 0 * fan_in
    if initialisation == TORCH:
        return np.full(fan_in.shape, 1 / 3), 1 / (3 * fan_in)
    return np.full(fan_in.shape, 2.0), 0 * fan_in


def softmax_error(z, labels):
    p = np.exp(z - z.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    p[:, np.arange(len(labels)), labels] -= 1
    return p


def monte_carlo(name, initialisation, x, labels, widths, networks, error=softmax_error, seed=11):
    """RMS over networks of |dE/dW|, |dE/db| and |dE/dz| of every layer, [3, L + 1]."""
    phi, rng = find(name), np.random.default_rng(seed)
    sw2, sb2 = variances(initialisation, widths)

    def draw(variance, *shape):
        if initialisation == HE:
            return np.sqrt(variance) * rng.standard_normal(shape)
        return np.sqrt(3 * variance) * rng.uniform(-1, 1, shape)

    inputs, slopes, weights = [np.broadcast_to(x, (networks, *x.shape))], [], []
    for layer, (rows, columns) in enumerate(pairwise(widths)):
        weights.append(draw(sw2[layer] / rows, networks, rows, columns))
        z = inputs[-1] @ weights[-1] + draw(sb2[layer], networks, 1, columns)
        if layer < len(widths) - 2:
            inputs.append(phi.value(z))
            slopes.append(phi.slope(z))
    delta = error(z, labels) / len(x)
    squares = np.empty((3, len(weights)))
    for layer in reversed(range(len(weights))):
        gradient = np.swapaxes(inputs[layer], 1, 2) @ delta
        squares[:, layer] = (
            np.mean(np.sum(gradient**2, (1, 2))),
            np.mean(np.sum(np.sum(delta, 1) ** 2, 1)),
            np.mean(np.sum(delta**2, (1, 2))),
        )
        if layer:
            delta = (delta @ np.swapaxes(weights[layer], 1, 2)) * slopes[layer - 1]
    return np.sqrt(squares)


CASES = [
    ("sigmoid", KERAS, 60, 0.05),
    ("sigmoid", TORCH, 60, 0.05),
    ("tanh", KERAS, 60, 0.05),
    ("tanh", TORCH, 60, 0.05),
    ("relu", KERAS, 200, 0.05),
    ("relu", TORCH, 60, 0.05),
    ("selu", KERAS, 60, 0.05),
    ("gelu", TORCH, 60, 0.05),
    ("hard_tanh", KERAS, 60, 0.05),
]


@pytest.mark.parametrize(("name", "initialisation", "networks", "tolerance"), CASES)
def test_every_layer_of_a_hundred_wide_network(name, initialisation, networks, tolerance):
    x, labels = mixture()
    widths = (FEATURES, *[WIDTH] * HIDDEN, CLASSES)
    sw2, sb2 = variances(initialisation, widths)
    found = gradients(name, x @ x.T / FEATURES, widths, sw2, sb2, targets=labels)
    measured = monte_carlo(name, initialisation, x, labels, widths, networks)
    predicted = np.stack([found.weight_norm, found.bias_norm, found.delta_norm])
    assert np.max(np.abs(np.log10(predicted / measured))) < tolerance


def test_the_first_and_last_hidden_layer_of_a_he_relu_network():
    """Its samples align with depth, so that fluctuations of the width count between the ends."""
    x, labels = mixture()
    widths = (FEATURES, *[WIDTH] * HIDDEN, CLASSES)
    sw2, sb2 = variances(HE, widths)
    found = gradients("relu", x @ x.T / FEATURES, widths, sw2, sb2, targets=labels)
    measured = monte_carlo("relu", HE, x, labels, widths, 200)
    apart = np.log10(found.weight_norm / measured[0])
    assert np.max(np.abs(apart[[0, 9]])) < 0.1
    assert np.max(np.abs(apart)) < 0.2
    assert np.max(np.abs(np.log10(found.delta_norm / measured[2]))) < 0.05


def test_the_monte_carlo_would_notice_a_layer_out_of_step():
    x, labels = mixture()
    widths = (FEATURES, *[WIDTH] * HIDDEN, CLASSES)
    sw2, sb2 = variances(KERAS, widths)
    wrong = gradients("tanh", x @ x.T / FEATURES, widths, np.roll(sw2, 1), sb2, targets=labels)
    measured = monte_carlo("tanh", KERAS, x, labels, widths, 20)
    assert np.max(np.abs(np.log10(wrong.weight_norm / measured[0]))) > 0.1


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "mean_squared_error"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_the_other_losses_against_wide_networks(loss, outputs):
    x, labels = mixture()
    y = np.stack([(labels + k) % 2 for k in range(outputs)], axis=1).astype(float)
    widths = (FEATURES, 100, 100, outputs)

    def error(z, targets):
        if loss == "binary_cross_entropy":
            return (0.5 + 0.5 * np.tanh(z / 2) - targets) / outputs
        return 2 * (z - targets) / outputs

    found = gradients(
        "tanh", x @ x.T / FEATURES, widths, *variances(KERAS, widths), targets=y, loss=loss
    )
    measured = monte_carlo("tanh", KERAS, x, y, widths, 300, error)
    predicted = np.stack([found.weight_norm, found.bias_norm, found.delta_norm])
    assert np.max(np.abs(np.log10(predicted / measured))) < 0.04


@pytest.mark.parametrize(("loss", "outputs"), [("cross_entropy", 4), ("binary_cross_entropy", 1)])
def test_left_out_labels_are_evenly_drawn_ones(loss, outputs):
    x, _ = mixture()
    cov, rng = x[:6] @ x[:6].T / FEATURES, np.random.default_rng(5)
    choices = max(outputs, 2)
    drawn = [
        output_error(cov, outputs, rng.integers(0, choices, 6), loss, samples=400, seed=seed)
        for seed in range(300)
    ]
    without = output_error(cov, outputs, None, loss, samples=100_000)
    error = np.std(drawn, axis=0) / np.sqrt(300)
    assert np.all(np.abs(np.mean(drawn, axis=0) - without) < 4 * error + 3e-3)


def test_errors_at_uniform_outputs():
    kernel = output_error(np.zeros((2, 2)), 10, [3, 3])
    assert kernel == pytest.approx(np.full((2, 2), 0.9))
    assert output_error(np.zeros((2, 2)), 10, [3, 4])[0, 1] == pytest.approx(-0.1)


def test_seen_quantities_are_those_of_the_forward_pass():
    x, labels = mixture()
    kernel = x @ x.T / FEATURES
    found = gradients("relu", kernel, (64, 50, 50, 10), [1.0, 2.0, 1.0], targets=labels)
    power = np.mean(np.diagonal(kernel))
    assert found.preactivation_rms**2 == pytest.approx(power * np.array([1, 1, 0.5]))
    assert found.activation_rms**2 == pytest.approx(power * np.array([0.5, 0.5]))
    assert found.slope_rms**2 == pytest.approx([0.5, 0.5])
    assert found.error == 0.0


def test_an_activation_for_each_layer_and_an_error_kernel():
    x, _ = mixture()
    kernel = x @ x.T / FEATURES
    given = np.eye(BATCH)
    mixed = gradients(["linear", "linear"], kernel, (64, 50, 50, 10), 1.0, error_kernel=given)
    # Linear and orthogonal errors: every |delta|^2 is the trace over B^2.
    assert mixed.delta_norm == pytest.approx(np.full(3, 1 / np.sqrt(BATCH)))
    assert mixed.bias_norm == pytest.approx(np.full(3, 1 / np.sqrt(BATCH)))


def test_no_hidden_layer():
    x, labels = mixture()
    found = gradients("relu", x @ x.T / FEATURES, (64, 10), 1.0, targets=labels)
    assert found.weight_norm.shape == (1,)
    assert found.slope_rms.shape == (0,)


KERNEL = np.eye(3)


@pytest.mark.parametrize(
    ("arguments", "keywords", "message"),
    [
        (
            ("tanh", KERNEL, (2, 10, 1), -1.0),
            {},
            "weight_variance = -1.0: must be finite and 0 or more, for example 0.05",
        ),
        (
            ("tanh", KERNEL, (2, 10, 1), [1.0, 1.0, 1.0]),
            {},
            "weight_variance: 3 values for 2 layers; give one, or one each",
        ),
        (
            ("tanh", KERNEL, (2, 0, 1), 1.0),
            {},
            "widths = (2, 0, 1): must be whole numbers of 1 or more, for example 10",
        ),
        (
            ("tanh", KERNEL, (2,), 1.0),
            {},
            "widths = (2,): must be inputs, hidden ..., outputs: (2, 10, 10, 1)",
        ),
        (
            (["tanh"], KERNEL, (2, 10, 10, 1), 1.0),
            {},
            "1 activations for 2 hidden layers: give one each",
        ),
        (
            ("tanh", KERNEL * np.nan, (2, 10, 1), 1.0),
            {},
            "kernel: has NaN or infinite entries; check the inputs it was made from",
        ),
        (
            ("tanh", KERNEL, (2, 10, 1), 1.0),
            {"targets": [0, 0, 0]},
            "cross_entropy on one output has no gradient; type  loss='binary_cross_entropy'",
        ),
        (
            ("tanh", KERNEL, (2, 10, 4), 1.0),
            {"targets": [0, 1, 7]},
            "targets: classes must be whole numbers from 0 to 3",
        ),
        (
            ("tanh", KERNEL, (2, 10, 4), 1.0),
            {"targets": [0, 1]},
            "targets of shape (2,): must be [3], one class a sample",
        ),
        (
            ("tanh", KERNEL, (2, 10, 4), 1.0),
            {"loss": "hinge"},
            "unknown loss 'hinge': Allowed: cross_entropy, binary_cross_entropy, "
            "mean_squared_error.",
        ),
        (
            ("tanh", KERNEL, (2, 10, 4), 1.0),
            {"loss": "mean_squared_error"},
            "mean_squared_error needs targets: give an array [B] or [B, outputs]",
        ),
        (
            ("tanh", KERNEL, (2, 10, 4), 1.0),
            {"loss": "mean_squared_error", "targets": [1.0, 2.0, 3.0]},
            "targets of shape (3,): must be [3, 4]",
        ),
        (
            ("tanh", KERNEL, (2, 10, 4), 1.0),
            {"error_kernel": np.eye(2)},
            "error_kernel of shape (2, 2): must be (3, 3)",
        ),
    ],
)
def test_bad_arguments_get_one_line(arguments, keywords, message):
    with pytest.raises(errors.SpecError) as caught:
        gradients(*arguments, **keywords)
    assert str(caught.value) == message
