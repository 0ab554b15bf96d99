"""Norms inside a batch's kernel, against draws and against networks run by hand."""

import numpy as np
import pytest

from tests.theory.one_batch import gradients
from undertow import errors
from undertow.activations.activation import find
from undertow.theory.batch.normalised_kernels import directions, normalised_delta, normalised_kernel
from undertow.theory.signal.norm_gains import batch_norm_gain

AXES = {"batch": (1,), "layer": (2,), "tensor": (1, 2)}


def mixture(size=32, features=64, classes=10):
    rng, labels = np.random.default_rng(0), np.arange(size) % classes
    x = rng.standard_normal((classes, features))[labels] + rng.standard_normal((size, features))
    return x / np.sqrt(2), labels


def test_batch_normalised_kernels_against_draws():
    x, _ = mixture(8, 5)
    kernel = x @ x.T / 5 + 0.3
    draws = np.linalg.cholesky(kernel + 1e-12 * np.eye(8)) @ (
        np.random.default_rng(1).standard_normal((8, 200_000))
    )
    draws -= draws.mean(axis=0)
    draws /= draws.std(axis=0)
    expected = draws @ draws.T / 200_000
    assert normalised_kernel(kernel, "batch") == pytest.approx(expected, abs=0.012)
    assert np.trace(normalised_kernel(kernel, "batch")) == pytest.approx(8)


def test_batch_normalised_deltas_against_draws():
    x, _ = mixture(12, 9)
    kernel, rng = x @ x.T / 9 + 0.3, np.random.default_rng(1)
    delta = 0.3 + np.diag(np.linspace(0.5, 2.0, 12))
    draws = np.linalg.cholesky(kernel + 1e-12 * np.eye(12)) @ rng.standard_normal((12, 200_000))
    g = np.linalg.cholesky(delta) @ rng.standard_normal((12, 200_000))
    draws -= draws.mean(axis=0)
    sd = draws.std(axis=0)
    xh = draws / sd
    back = (g - g.mean(axis=0) - xh * (g * xh).mean(axis=0)) / sd
    expected = back @ back.T / 200_000
    found = normalised_delta(delta, kernel, "batch", units=10_000)
    assert found == pytest.approx(expected, abs=0.06 * np.max(expected))
    assert np.trace(found) == pytest.approx(np.trace(expected), rel=0.03)


@pytest.mark.parametrize("name", ["relu", "tanh"])
@pytest.mark.parametrize("alike", [0.0, 0.9], ids=["errors apart", "errors alike"])
def test_deltas_that_depend_on_what_was_normalised(name, alike):
    """As behind an average: v is nearly the same for all samples, and delta follows xh."""
    x, _ = mixture(12, 9)
    kernel, rng, phi = x @ x.T / 9 + 0.3, np.random.default_rng(1), find(name)
    value = alike + (1 - alike) * np.eye(12)
    draws = np.linalg.cholesky(kernel + 1e-12 * np.eye(12)) @ rng.standard_normal((12, 200_000))
    v = np.linalg.cholesky(value) @ rng.standard_normal((12, 200_000))
    draws -= draws.mean(axis=0)
    xh, sd = draws / draws.std(axis=0), draws.std(axis=0)
    g = v * phi.slope(xh)
    back = (g - g.mean(axis=0) - xh * (g * xh).mean(axis=0)) / sd
    expected = back @ back.T / 200_000
    options = {"activation": name, "arriving": value, "units": 10_000}
    found = normalised_delta(value * (g @ g.T / 200_000), kernel, "batch", **options)
    assert found == pytest.approx(expected, abs=0.06 * np.max(expected))
    assert np.trace(found) == pytest.approx(np.trace(expected), rel=0.03)


def uneven(size, variances, seed=2):
    """A centred kernel with these eigenvalues, and its directions [size, len(variances)]."""
    rng = np.random.default_rng(seed)
    drawn = rng.standard_normal((size, len(variances)))
    vectors, _ = np.linalg.qr(drawn - drawn.mean(axis=0))
    return (vectors * variances) @ vectors.T, vectors * np.sqrt(variances)


def back_through(xh, weight, value, phi):
    """E of the backward pass from xh [B, draws] and weights 1 / s^2, term by term."""
    size, slope = len(xh), phi.slope(xh)
    centred = np.eye(size) - 1 / size
    total = np.zeros((size, size))
    for one, factor in zip(xh.T, weight, strict=True):
        taken_off = centred - np.outer(one, one) / size
        carried = taken_off * phi.slope(one)
        total += factor * carried @ value @ carried.T
    return total, slope


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "gelu", "silu", "elu", "tanh", "sigmoid"])
@pytest.mark.parametrize("alike", [0.0, 0.9], ids=["errors apart", "errors alike"])
def test_a_few_strong_directions_against_plain_draws(name, alike):
    """Drawn without frames, mirror images or a changed density: y as it is, 1 / s^2 as a weight."""
    kernel, root = uneven(24, np.array([6.0, 3.0, 1.5, 0.8, 0.4, 0.4, 0.2, 0.1]))
    y = root @ np.random.default_rng(5).standard_normal((8, 60_000))
    square = np.mean(y**2, axis=0)
    value = alike + (1 - alike) * np.diag(np.linspace(0.5, 2.0, 24))
    expected, slope = back_through(y / np.sqrt(square), 1 / square / 60_000, value, find(name))
    options = {"activation": name, "arriving": value, "units": 10_000}
    found = normalised_delta(value * (slope @ slope.T / 60_000), kernel, "batch", **options)
    assert found == pytest.approx(expected, abs=0.03 * np.max(expected))
    assert np.trace(found) == pytest.approx(np.trace(expected), rel=0.01)


@pytest.mark.parametrize("name", ["relu", "gelu", "tanh"])
@pytest.mark.parametrize("variances", [(1.0, 1.0), (5.0, 1.0), (30.0, 0.3)])
def test_two_directions_against_the_circle(name, variances):
    """Of two inputs: an integral over one angle, 1 / s^2 cut off where the theory says."""
    units = 100
    kernel, root = uneven(20, np.array(variances))
    angle = np.arange(4_000) * 2 * np.pi / 4_000
    y = root @ np.stack([np.cos(angle), np.sin(angle)])
    square = np.sum(y**2, axis=0)
    # E over the radius of int exp(-t |y|^2) dt up to T, where E exp(-T |y|^2) is 1 / units^2.
    one, other = variances
    total = one + other
    last = (np.sqrt(total**2 + 4 * one * other * (units**4 - 1)) - total) / (4 * one * other)
    weight = 20 * np.log1p(2 * last * square) / (2 * square) / angle.size
    value = np.diag(np.linspace(0.5, 2.0, 20)) + 0.5
    expected, _ = back_through(y / np.sqrt(square / 20), weight, value, find(name))
    options = {"activation": name, "arriving": value, "units": units}
    found = normalised_delta(value, kernel, "batch", **options)
    assert found == pytest.approx(expected, abs=0.03 * np.max(expected))
    assert np.trace(found) == pytest.approx(np.trace(expected), rel=0.015)


@pytest.mark.parametrize("size", [2, 3, 5, 300])
@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_batches_of_any_size(name, size):
    kernel = np.eye(size) + 0.5
    found = normalised_delta(kernel, kernel, "batch", 50, activation=name, arriving=kernel)
    assert np.max(np.abs(found.sum(axis=0))) < 1e-9 * max(np.max(np.abs(found)), 1.0)
    assert np.linalg.eigvalsh(found)[0] > -1e-9 * max(np.trace(found), 1.0)


def test_directions_at_hand_change_nothing():
    kernel = mixture(12, 9)[0] @ mixture(12, 9)[0].T
    found = directions(kernel, "batch")
    options = {"activation": "relu", "arriving": kernel}
    assert np.array_equal(
        normalised_kernel(kernel, "batch", found), normalised_kernel(kernel, "batch")
    )
    assert np.array_equal(
        normalised_delta(kernel, kernel, "batch", 50, found=found, **options),
        normalised_delta(kernel, kernel, "batch", 50, **options),
    )
    assert directions(kernel, "layer") is None


@pytest.mark.parametrize("size", [8, 32])
def test_a_linear_layer_has_the_exact_gain(size):
    """E[1 / s^2] and the two directions taken off give (B - 2) / (B - 3)."""
    centred = (np.eye(size) - 1 / size) * size / (size - 1)
    assert normalised_kernel(centred, "batch") == pytest.approx(centred, abs=1e-9)
    found = normalised_delta(centred, centred, "batch", units=10**6)
    assert np.trace(found) / np.trace(centred) == pytest.approx(
        batch_norm_gain("linear", size), rel=1e-3
    )


def monte_carlo(name, kind, x, labels, widths, networks):
    """RMS of |dE/dW| and |dE/dz| of each layer, z before the norm, [2, L + 1]."""
    phi, rng, axis = find(name), np.random.default_rng(1), AXES[kind]
    inputs, tape, weights = [np.broadcast_to(x, (networks, *x.shape))], [], []
    for layer in range(len(widths) - 1):
        shape = (networks, widths[layer], widths[layer + 1])
        weights.append(rng.standard_normal(shape) / np.sqrt(widths[layer]))
        z = inputs[-1] @ weights[-1]
        if layer < len(widths) - 2:
            sd = z.std(axis=axis, keepdims=True)
            tape.append(((z - z.mean(axis=axis, keepdims=True)) / sd, sd))
            inputs.append(phi.value(tape[-1][0]))
    p = np.exp(z - z.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    p[:, np.arange(len(x)), labels] -= 1
    delta, squares = p / len(x), np.empty((2, len(weights)))
    for layer in reversed(range(len(weights))):
        gradient = np.swapaxes(inputs[layer], 1, 2) @ delta
        squares[:, layer] = np.mean(np.sum(gradient**2, (1, 2))), np.mean(np.sum(delta**2, (1, 2)))
        if layer:
            xh, sd = tape[layer - 1]
            g = (delta @ np.swapaxes(weights[layer], 1, 2)) * phi.slope(xh)
            inner = (g * xh).mean(axis=axis, keepdims=True)
            delta = (g - g.mean(axis=axis, keepdims=True) - xh * inner) / sd
    return np.sqrt(squares)


@pytest.mark.parametrize("kind", AXES)
@pytest.mark.parametrize("name", ["relu", "tanh", "sigmoid"])
def test_every_layer_of_a_normalised_network(name, kind):
    x, labels = mixture()
    widths = (64, *[100] * 10, 10)
    found = gradients(name, x @ x.T / 64, widths, 1.0, targets=labels, normalisation=kind)
    weight, delta = monte_carlo(name, kind, x, labels, widths, 60)
    assert np.max(np.abs(np.log10(found.weight_norm / weight))) < 0.1
    assert np.max(np.abs(np.log10(found.delta_norm / delta))) < 0.1


def test_leaving_the_norm_out_would_be_noticed():
    x, labels = mixture()
    widths = (64, *[100] * 10, 10)
    without = gradients("sigmoid", x @ x.T / 64, widths, 1.0, targets=labels)
    weight, _ = monte_carlo("sigmoid", "batch", x, labels, widths, 10)
    assert np.max(np.abs(np.log10(without.weight_norm / weight))) > 3


def test_none_changes_nothing():
    kernel = np.array([[2.0, 0.5], [0.5, 1.0]])
    assert np.array_equal(normalised_kernel(kernel, "none"), kernel)
    assert np.array_equal(normalised_delta(kernel, kernel, "none", 10), kernel)


@pytest.mark.parametrize(
    ("kernel", "kind", "message"),
    [
        (
            np.eye(2),
            "group",
            "unknown normalisation 'group': Allowed: none, batch, layer, tensor.",
        ),
        (
            np.ones((2, 2)),
            "batch",
            "kernel: the same for every sample: batch norm would divide by 0",
        ),
        (
            np.diag([1.0, 0.0]),
            "layer",
            "kernel: a silent sample cannot be layer-normalised; leave it out",
        ),
    ],
)
def test_bad_arguments_get_one_line(kernel, kind, message):
    with pytest.raises(errors.SpecError) as caught:
        normalised_kernel(kernel, kind)
    assert str(caught.value) == message
