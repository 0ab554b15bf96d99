"""Scatter over initialisations: exact sums, printed values, and networks drawn by hand."""

import math

import numpy as np
import pytest
from scipy.special import polygamma, psi

from undertow import errors
from undertow.activations.activation import find
from undertow.theory.finite_width.scatter import finite_width, log_gain, two_slopes
from undertow.theory.signal.maps import variance_profile

LN10 = math.log(10)

# Width -> mean and variance of ln of a ReLU layer's gain, to five digits.
RELU = {
    5: (-0.62339, 2.36227),
    10: (-0.30746, 0.86673),
    20: (-0.13719, 0.31176),
    50: (-0.05174, 0.10817),
    64: (-0.04011, 0.08300),
    100: (-0.02542, 0.05194),
    128: (-0.01979, 0.04023),
    256: (-0.00983, 0.01982),
    512: (-0.00490, 0.00984),
}


@pytest.mark.parametrize("width", RELU)
def test_exact_relu_log_moments(width):
    assert log_gain(0.0, width) == pytest.approx(RELU[width], abs=1e-5)


def test_relu_log_moments_by_summing_layers():
    rng, n = np.random.default_rng(0), 10
    gain = (
        2
        / n
        * np.sum((rng.random((1_000_000, n)) < 0.5) * rng.standard_normal((1_000_000, n)) ** 2, 1)
    )
    logs = np.log(gain[gain > 0])
    mean, variance = log_gain(0.0, n)
    assert np.mean(logs) == pytest.approx(mean, abs=float(4 * np.std(logs) / 1000))
    assert np.var(logs) == pytest.approx(variance, rel=0.01)


@pytest.mark.parametrize("width", [1, 5, 10, 50, 512])
def test_exact_linear_log_moments(width):
    expected = float(psi(width / 2) + math.log(2 / width)), float(polygamma(1, width / 2))
    assert log_gain(1.0, width) == pytest.approx(expected, abs=1e-9)


def test_printed_linear_variances():
    found = [log_gain(1.0, n)[1] for n in (5, 10, 20, 50, 100)]
    assert found == pytest.approx([0.49036, 0.22132, 0.10517, 0.04081, 0.02020], abs=1e-5)


@pytest.mark.parametrize("slope", [0.1, 0.3, -0.5])
def test_leaky_log_moments_by_summing_layers(slope):
    rng, n, draws = np.random.default_rng(0), 10, 400_000
    factor = np.where(rng.random((draws, n)) < 0.5, 1.0, slope) ** 2
    logs = np.log(np.mean(factor * rng.standard_normal((draws, n)) ** 2, 1) * 2 / (1 + slope**2))
    mean, variance = log_gain(slope, n)
    assert np.mean(logs) == pytest.approx(mean, abs=0.01)
    assert np.var(logs) == pytest.approx(variance, rel=0.02)


def scatter(name, depth, width, sw2, drawn=None):
    q, _ = variance_profile(name, depth, sw2, start=sw2)
    return finite_width(name, q, width, sw2, drawn=drawn)


# (activation, sw2, depth, width) -> variance of ln |delta^1 / delta^L|^2 by the full formula.
PRINTED = {
    ("tanh", 1, 10, 50): 0.521,
    ("tanh", 1, 30, 50): 1.583,
    ("tanh", 1, 10, 10): 2.603,
    ("selu", 1, 10, 50): 0.643,
    ("selu", 1, 30, 50): 2.386,
    ("selu", 1, 10, 10): 3.214,
    ("sigmoid", 1, 10, 10): 1.898,
    ("gelu", 2, 10, 50): 2.02,
    ("gelu", 2, 30, 50): 36.7,
}


@pytest.mark.parametrize("case", PRINTED)
def test_printed_variances(case):
    name, sw2, depth, width = case
    sd = scatter(name, depth, width, sw2, drawn=False).ratio_sd_dex[0]
    assert (sd * 2 * LN10) ** 2 == pytest.approx(PRINTED[case], rel=2e-3)


def test_ten_by_ten_relu():
    found = scatter("relu", 10, 10, 2.0)
    assert found.ratio_sd_dex[0] == pytest.approx(0.61, abs=0.03)
    assert found.ratio_shift_dex[0] == pytest.approx(9 * -0.30746 / (2 * LN10), abs=1e-5)
    assert found.caution is None
    assert found.elasticity == pytest.approx(np.ones(10))


@pytest.mark.parametrize(
    ("name", "sw2"), [("relu", 2), ("linear", 1), ("tanh", 1), ("sigmoid", 1), ("selu", 1)]
)
@pytest.mark.parametrize("width", [10, 50])
def test_shift_and_scatter_against_networks(name, sw2, width):
    found = scatter(name, 10, width, sw2)
    deltas, weights, predicted = monte_carlo(name, sw2, width, 4000 if width == 10 else 400)
    for logs, shift, sd in (
        (deltas, found.delta_shift_dex, found.delta_sd_dex),
        (weights, found.weight_shift_dex, found.weight_sd_dex),
        (deltas - deltas[9], found.ratio_shift_dex, found.ratio_sd_dex),
    ):
        rows = slice(0, 9)
        base = predicted[0] if logs is deltas else predicted[1]
        base = base if logs is deltas or logs is weights else predicted[0] - predicted[0][9]
        measured = np.mean(logs - base[:, None], axis=1)[rows]
        assert np.max(np.abs(measured - shift[rows])) < 0.1
        assert np.std(logs, axis=1)[rows] == pytest.approx(sd[rows], rel=0.2, abs=0.02)


def test_two_sd_cover_a_ratio():
    found = scatter("relu", 10, 10, 2.0)
    deltas, _, predicted = monte_carlo("relu", 2, 10, 4000)
    ratio = deltas[0] - deltas[9] - (predicted[0][0] - predicted[0][9])
    inside = np.abs(ratio - found.ratio_shift_dex[0]) <= 2 * found.ratio_sd_dex[0]
    assert 0.93 <= np.mean(inside) <= 0.98


def monte_carlo(name, sw2, width, networks, depth=10):
    """log10 |delta^l| and |dE/dW^l| for a unit output error, [L + 1, networks], and predictions."""
    rng, phi = np.random.default_rng(2), find(name)
    x = np.ones((networks, width)) * rng.choice([-1.0, 1.0], width)
    inputs, slopes, weights = [x], [], []
    for layer in range(depth + 1):
        w = np.sqrt(sw2 / width) * rng.standard_normal((networks, width, width))
        weights.append(w)
        z = np.einsum("rij,rj->ri", w, inputs[-1])
        if layer < depth:
            inputs.append(phi.value(z))
            slopes.append(phi.slope(z))
    delta = rng.standard_normal((networks, width))
    delta /= np.linalg.norm(delta, axis=1, keepdims=True)
    norms = [np.ones(networks)]
    for layer in reversed(range(depth)):
        delta = slopes[layer] * np.einsum("rij,ri->rj", weights[layer + 1], delta)
        norms.append(np.linalg.norm(delta, axis=1))
    deltas = np.array(norms[::-1])
    gradients = deltas * np.array([np.linalg.norm(x, axis=1) for x in inputs])
    alive = np.all(deltas > 0, axis=0)
    q, gain = variance_profile(name, depth + 1, sw2, start=sw2)
    log_delta = np.append(0.5 * np.cumsum(np.log10(gain[:depth])[::-1])[::-1], 0.0)
    log_input = 0.5 * np.log10(width * q / sw2)
    return (
        np.log10(deltas[:, alive]),
        np.log10(gradients[:, alive]),
        (log_delta, log_delta + log_input),
    )


def test_elasticity_above_one_is_said():
    found = scatter("gelu", 10, 50, 2.0)
    assert np.max(found.elasticity) > 1.09
    assert found.caution == (
        f"elasticity {np.max(found.elasticity):.2f} above 1: fluctuations grow with depth; "
        "the band is wide, and not normal"
    )
    assert scatter("tanh", 10, 50, 1.0).caution is None


def test_two_slopes_are_told_from_the_rest():
    assert [two_slopes(name) for name in ("relu", "leaky_relu", "linear")] == [0.0, 0.01, 1.0]
    assert all(two_slopes(name) is None for name in ("tanh", "selu", "gelu", "hard_tanh"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: finite_width("tanh", 1.0, 10, 1.0),
            "variance: must be [L], the pre-activation variance of each hidden layer",
        ),
        (
            lambda: finite_width("tanh", [1.0, 1.0], 0, 1.0),
            "widths = 0: must be whole numbers of 1 or more, for example 10",
        ),
        (
            lambda: log_gain(0.0, -3),
            "width = -3: must be whole numbers of 1 or more, for example 10",
        ),
    ],
)
def test_bad_arguments_get_one_line(call, message):
    with pytest.raises(errors.SpecError) as caught:
        call()
    assert str(caught.value) == message
