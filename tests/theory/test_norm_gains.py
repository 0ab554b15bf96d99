"""Gains under norms and skips against networks run by hand; isometry; tailored slopes."""

import numpy as np
import pytest

from undertow import errors
from undertow.activations.activation import find, named
from undertow.theory.gaussian.moments import moments
from undertow.theory.signal.norm_gains import (
    batch_norm_gain,
    batch_norm_residual_profile,
    isometry_variance,
    layer_norm_gain,
    leaky_correlation,
    post_norm_gain,
    pre_norm_profile,
    residual_gain,
    tailored_slope,
)


def normalised(z, axis):
    sd = z.std(axis=axis, keepdims=True)
    return (z - z.mean(axis=axis, keepdims=True)) / sd, sd


def norm_backward(g, xh, sd, axis):
    inner = (g * xh).mean(axis=axis, keepdims=True)
    return (g - g.mean(axis=axis, keepdims=True) - xh * inner) / sd


def plain_gain(name, batch, axis, width=300, depth=20, networks=2, seed=4):
    """Mean gain of a layer phi(norm(W x)), the norm over the batch (axis 0) or the units (1)."""
    phi, rng, ratios = find(name), np.random.default_rng(seed), []
    for _ in range(networks):
        x, tape = rng.standard_normal((batch, width)), []
        for _ in range(depth):
            w = rng.standard_normal((width, width)) / np.sqrt(width)
            xh, sd = normalised(x @ w, axis)
            x = phi.value(xh)
            tape.append((w, xh, sd))
        g = rng.standard_normal(x.shape)
        for layer, (w, xh, sd) in enumerate(reversed(tape)):
            before = np.sum(g**2)
            g = norm_backward(g * phi.slope(xh), xh, sd, axis) @ w.T
            # The first layer's input is no activation, and the last ones have a gradient at random.
            if 1 < layer < depth - 1:
                ratios.append(np.sum(g**2) / before)
    return np.mean(ratios)


@pytest.mark.parametrize(
    ("name", "gain"), [("relu", 1.4669), ("tanh", 1.1778), ("sigmoid", 1.0336)]
)
def test_batch_norm_explodes_at_the_printed_rate(name, gain):
    assert batch_norm_gain(name) == pytest.approx(gain, abs=1e-4)
    assert plain_gain(name, 128, axis=0) == pytest.approx(gain, rel=0.03)


@pytest.mark.parametrize("batch", [8, 32, 128])
def test_a_linear_network_of_finite_batch(batch):
    assert batch_norm_gain("linear", batch) == pytest.approx((batch - 2) / (batch - 3))
    measured = plain_gain("linear", batch, axis=0, networks=3)
    assert measured == pytest.approx((batch - 2) / (batch - 3), rel=0.03)


@pytest.mark.parametrize("name", ["relu", "gelu"])
@pytest.mark.parametrize("batch", [8, 32])
def test_the_batch_size_rule(name, batch):
    assert batch_norm_gain(name, batch) == pytest.approx(plain_gain(name, batch, axis=0), rel=0.05)


@pytest.mark.parametrize("name", sorted(set(named())))
def test_batch_norm_never_shrinks_a_gradient(name):
    assert batch_norm_gain(name) >= 1 - 1e-12


@pytest.mark.parametrize("name", ["relu", "tanh", "gelu", "sigmoid"])
def test_layer_norm(name):
    assert layer_norm_gain(name) == pytest.approx(plain_gain(name, 16, axis=1), rel=0.05)


def test_printed_layer_norm_gains():
    printed = {"relu": 1, "tanh": 1.17781, "selu": 1.07157, "gelu": 1.07203, "silu": 1.06663}
    for name, gain in printed.items():
        assert layer_norm_gain(name) == pytest.approx(gain, abs=1e-5)
    assert layer_norm_gain("sigmoid") == pytest.approx(0.15283, abs=1e-5)


def residual_total(alpha, blocks=24, width=128, networks=20, seed=3):
    """Squared gradient norm at the input over that at the output; two-layer ReLU branches."""
    rng, totals = np.random.default_rng(seed), []
    for _ in range(networks):
        x, tape = rng.standard_normal(width), []
        for _ in range(blocks):
            first = rng.standard_normal((width, width)) * np.sqrt(2 / width)
            second = rng.standard_normal((width, width)) * np.sqrt(1 / width)
            z = first @ x
            tape.append((first, second, z > 0))
            x = x + alpha * second @ np.maximum(z, 0)
        g = rng.standard_normal(width)
        start = g @ g
        for first, second, on in reversed(tape):
            g = g + alpha * first.T @ (on * (second.T @ g))
        totals.append(g @ g / start)
    return np.mean(totals)


def test_a_branch_scaled_to_nothing_passes_gradients_exactly():
    assert residual_gain(0.7, scale=0.0) == 1.0
    assert residual_total(0.0, networks=1) == 1.0


def test_residual_gains():
    blocks = 24
    scaled = residual_gain(1.0, scale=1 / np.sqrt(blocks))
    assert scaled**blocks < np.e
    assert residual_total(1 / np.sqrt(blocks)) == pytest.approx(scaled**blocks, rel=0.1)
    doubled = np.log10(residual_gain(1.0) ** blocks) / 2
    assert doubled == pytest.approx(3.61, abs=0.01)
    assert np.log10(residual_total(1.0)) / 2 == pytest.approx(doubled, abs=0.1)


def test_batch_norm_with_skips_grows_as_a_power():
    profile = batch_norm_residual_profile("relu", blocks=40)
    at = moments("relu", 1.0)
    power, k = at.slope_square / at.variance, at.variance
    closed = power * np.log((1 + 40 * k) / (1 + k * np.array([0, 4, 8, 16, 32])))
    assert np.log(profile[[0, 4, 8, 16, 32]]) == pytest.approx(closed, abs=0.25)
    assert np.log(profile[16] / profile[32]) == pytest.approx(0.899, abs=0.03)
    measured = [4.07, 2.76, 2.07, 1.23, 0.31]
    assert np.log(profile[[0, 4, 8, 16, 32]]) == pytest.approx(measured, abs=0.25)
    assert batch_norm_residual_profile("relu", 1)[-1] == 1.0


def test_layer_norm_with_skips():
    profile = pre_norm_profile(48)
    assert np.log(profile[[0, 6]]) == pytest.approx(np.log([49, 7]), abs=1e-12)
    assert post_norm_gain(0.46440290, 0.39429449) == pytest.approx(1.0503, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "q", "depth", "orthogonal", "printed"),
    [
        ("linear", 1.0, 4, False, 4.0),
        ("relu", 1.0, 4, False, 8.0),
        ("relu", 1.0, 4, True, 4.0),
        ("tanh", 0.1, 10, True, 0.397),
        ("tanh", 0.1, 4, False, 4.16),
        ("erf", 0.1, 10, True, 0.435),
    ],
)
def test_isometry(name, q, depth, orthogonal, printed):
    found = isometry_variance(name, q, depth, orthogonal)
    assert found == pytest.approx(printed, rel=2e-3)
    assert jacobian_variance(name, q, depth, orthogonal) == pytest.approx(found, rel=0.12)


def test_an_orthogonal_linear_network_is_an_isometry():
    assert isometry_variance("linear", 1.0, 100, orthogonal=True) == pytest.approx(0, abs=1e-10)
    assert jacobian_variance("linear", 1.0, 10, True) == pytest.approx(0, abs=1e-10)


def jacobian_variance(name, q, depth, orthogonal, width=200, networks=4):
    """Variance of the eigenvalues of J J^T, pre-activations drawn afresh at the fixed point."""
    phi, rng, found = find(name), np.random.default_rng(6), []
    weight = 1 / float(moments(name, q).slope_square)
    for _ in range(networks):
        jacobian = np.eye(width)
        for _ in range(depth):
            w = rng.standard_normal((width, width)) / np.sqrt(width)
            if orthogonal:
                u, r = np.linalg.qr(w)
                w = u * np.sign(np.diagonal(r))
            slope = phi.slope(np.sqrt(q) * rng.standard_normal(width))
            jacobian = slope[:, None] * (np.sqrt(weight) * w @ jacobian)
        square = jacobian @ jacobian.T
        mean = np.trace(square) / width
        found.append(np.sum(square**2) / width / mean**2 - 1)
    return np.mean(found)


def test_leaky_correlations_are_those_of_draws():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 400_000))
    u, v = np.maximum(x, 0.3 * x), 0.6 * x + 0.8 * y
    products = u * np.maximum(v, 0.3 * v) * 2 / (1 + 0.3**2)
    expected = float(leaky_correlation(0.6, 0.3))
    assert np.mean(products) == pytest.approx(expected, abs=float(4 * np.std(products) / 632))


def test_tailored_slopes_of_plain_chains():
    found = {depth: tailored_slope(depth)[0] for depth in (20, 30, 100)}
    assert found == pytest.approx({20: 0.181380, 30: 0.302694, 100: 0.570440}, abs=1e-6)
    assert tailored_slope(10, target=0.8)[0] == pytest.approx(0.147696, abs=1e-6)
    assert tailored_slope(50, target=0.8)[0] == pytest.approx(0.548274, abs=1e-6)
    slope, scale = tailored_slope(10)
    assert slope == pytest.approx(0.0, abs=1e-12)
    assert scale == pytest.approx(np.sqrt(2))


def test_tailored_slope_of_a_residual_network():
    """The published anchor: google-deepmind/dks, tests/test_activation_transform.py, "TAT".

    A ResNet of 3, 4, 23 and 3 blocks with shortcut weight .6, each branch three layers, a layer on
    the shortcut of each group's first block, one layer at the end; target .75.
    """

    def network(layer):
        def branch(c):
            return layer(layer(layer(c)))

        c, weight = np.zeros(()), 0.6**2
        for blocks in (3, 4, 23, 3):
            for block in range(blocks):
                shortcut = layer(c) if block == 0 else c
                c = weight * shortcut + (1 - weight) * branch(c)
        return np.maximum(layer(c), branch(np.zeros(())))

    slope, scale = tailored_slope(target=0.75, network=network)
    assert slope == pytest.approx(0.6291800290346146, abs=1e-8)
    assert scale == pytest.approx(1.196996549778802, abs=1e-8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: batch_norm_gain("relu", 3),
            "batch_size = 3: must be whole numbers of 4 or more, for example 10",
        ),
        (
            lambda: residual_gain(-1.0),
            "branch_gain = -1.0: must be finite and 0 or more, for example 0.05",
        ),
        (
            lambda: tailored_slope(),
            "tailored_slope: needs the depth of a plain chain, or a network",
        ),
        (
            lambda: tailored_slope(10, target=1.5),
            "target = 1.5: must lie between 0 and 1, for example 0.5",
        ),
        (
            lambda: batch_norm_residual_profile("relu", 4, start=0.0),
            "start = 0: a stream without variance cannot be normalised; type 1.0",
        ),
    ],
)
def test_bad_arguments_get_one_line(call, message):
    with pytest.raises(errors.SpecError) as caught:
        call()
    assert str(caught.value) == message
