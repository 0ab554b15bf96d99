"""Variance and correlation maps, their fixed points, and the ten-by-ten networks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow import errors
from undertow.activations.activation import find, named
from undertow.theory.finite_width.sampled_networks import sample_networks
from undertow.theory.gaussian.moments import moments
from undertow.theory.signal.maps import (
    correlation_map,
    fixed_point,
    gradient_gain,
    variance_map,
    variance_profile,
    variance_slope,
)

TORCH_10, TORCH_100 = (1 / 3, 1 / 30), (1 / 3, 1 / 300)

# (activation, weight and bias variance) -> (fixed point, gain there).
SETTLED = [
    ("sigmoid", (1, 0), 0.264687, 0.0557207),
    ("sigmoid", (2, 0), 0.555290, 0.100977),
    ("sigmoid", TORCH_10, 0.119010, 0.0197079),
    ("sigmoid", TORCH_100, 0.0884323, 0.0199771),
    ("tanh", (2, 0), 0.617965, 1.10553),
    ("tanh", TORCH_10, 0.0479666, 0.305801),
    ("tanh", TORCH_100, 0.00497559, 0.330073),
    ("relu", TORCH_10, 0.04, 1 / 6),
    ("selu", (1, 0), 1.0, 1.071575),
    ("selu", TORCH_10, 0.0711116, 0.536645),
    ("gelu", TORCH_10, 0.0365826, 0.0905664),
    ("silu", TORCH_100, 0.00363727, 0.0836353),
    ("elu", TORCH_10, 0.0467623, 0.288436),
    ("softplus", (1, 0), 0.856305, 0.288722),
    ("softplus", TORCH_100, 0.190667, 0.0869706),
    ("leaky_relu(0.2)", TORCH_10, 0.0403226, 0.173333),
]


@pytest.mark.parametrize(("name", "variances", "fixed", "gain"), SETTLED)
def test_fixed_points_of_common_initialisations(name, variances, fixed, gain):
    point = fixed_point(name, *variances)
    assert point.variance == pytest.approx(fixed, rel=2e-5)
    assert point.gain == pytest.approx(gain, rel=2e-5)
    assert float(variance_map(name, point.variance, *variances)) == pytest.approx(
        point.variance, rel=1e-9
    )


def test_signals_that_die_out_grow_or_stay():
    assert fixed_point("relu", 1.0).variance == 0.0
    assert fixed_point("tanh", 1.0).variance == 0.0
    assert fixed_point("gelu", 1.0).variance == 0.0
    assert fixed_point("gelu", 2.0).variance == 0.0
    assert fixed_point("leaky_relu(0.2)", 2.0).variance == np.inf
    assert fixed_point("selu", 2.0).variance == np.inf
    assert fixed_point("relu", 2.0, start=3.0).variance == 3.0
    assert fixed_point("relu", 2.0).gain == 1.0
    assert fixed_point("relu", 1.0).gain == 0.5
    assert fixed_point("elu", 1.0).gain == pytest.approx(1.0, abs=1e-4)


# sw2 -> (fixed point, gain, c*, correlation depth) of tanh at sb2 = .05.
SWEEP = {
    1: (0.19359, 0.75903, 1, 3.627),
    1.25: (0.29205, 0.86324, 1, 6.800),
    1.5: (0.41804, 0.93864, 1, 15.79),
    1.7: (0.53308, 0.98674, 1, 74.92),
    1.8: (0.59413, 1.00822, 0.95041, 125.8),
    1.9: (0.65711, 1.02845, 0.83820, 39.35),
    2: (0.72176, 1.04767, 0.74408, 25.21),
    2.5: (1.06396, 1.13352, 0.44680, 11.80),
    3: (1.42801, 1.20893, 0.29932, 9.051),
    4: (2.19549, 1.34240, 0.16506, 6.980),
}


@pytest.mark.parametrize("sw2", SWEEP)
def test_the_tanh_sweep_across_the_edge_of_chaos(sw2):
    fixed, gain, correlation, depth = SWEEP[sw2]
    point = fixed_point("tanh", sw2, 0.05)
    found = point.variance, point.gain, point.correlation
    assert found == pytest.approx((fixed, gain, correlation), abs=2e-5)
    assert point.correlation_depth == pytest.approx(depth, rel=2e-3)
    assert point.trainable_depth == pytest.approx(6 * depth, rel=2e-3)


def test_depth_scales():
    tanh = fixed_point("tanh", 2.0)
    assert tanh.correlation == 0.0
    assert tanh.correlation_depth == pytest.approx(21.72, abs=0.01)
    assert tanh.gradient_depth == pytest.approx(9.97, abs=0.01)
    selu = fixed_point("selu", 1.0)
    assert selu.correlation_depth == pytest.approx(33.60, abs=0.01)
    assert selu.gradient_depth == pytest.approx(14.47, abs=0.01)
    assert selu.variance_depth == pytest.approx(-1 / np.log(0.782648), rel=1e-5)
    assert fixed_point("relu", 2.0).gradient_depth == np.inf
    assert fixed_point("relu", 2.0).variance_depth == np.inf


def test_relu_correlations_collapse_as_a_power():
    c = np.zeros(())
    seen = {}
    for layer in range(1, 1001):
        c, _ = correlation_map("relu", np.minimum(c, 1.0), 1.0, 2.0)
        seen[layer] = 1 - float(c)
    assert seen[1000] == pytest.approx(4.313e-5, rel=1e-3)
    assert seen[1000] == pytest.approx(9 * np.pi**2 / (2 * 1000**2), rel=0.05)


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(sorted(named())),
    q=st.floats(1e-3, 30.0),
    sw2=st.floats(0.1, 4.0),
    sb2=st.floats(0.0, 1.0),
)
def test_the_correlation_map_keeps_one_and_its_slope_there_is_the_gain(name, q, sw2, sb2):
    ends = np.array([-1.0, 0.3, 1.0])
    image, slope = correlation_map(name, ends, q, sw2, sb2)
    assert image[2] * q == pytest.approx(float(variance_map(name, q, sw2, sb2)), rel=1e-6)
    assert slope[2] == pytest.approx(float(gradient_gain(name, q, sw2)), rel=2e-3)
    assert np.all(image <= image[2] * (1 + 1e-6))


@settings(max_examples=60, deadline=None)
@given(
    # Of these E phi^2 grows with q: |phi| grows on either side of 0.
    name=st.sampled_from(["tanh", "relu", "erf", "elu", "hard_tanh", "softsign", "linear"]),
    q=st.floats(1e-3, 1e3),
    ratio=st.floats(1.01, 10.0),
)
def test_the_variance_map_is_monotone(name, q, ratio):
    low, high = variance_map(name, [q, q * ratio], 1.5, 0.1)
    assert high > low
    assert variance_slope(name, q, 1.5) >= 0


# Keras, PyTorch at fan-in 10, He, LeCun: (activation, sw2, sb2) -> total dex over nine transitions.
TEN_BY_TEN = {
    ("sigmoid", 1, 0): -5.693,
    ("tanh", 1, 0): -0.551,
    ("relu", 1, 0): -1.355,
    ("gelu", 1, 0): -2.390,
    ("silu", 1, 0): -2.539,
    ("elu", 1, 0): -0.540,
    ("sigmoid", *TORCH_10): -7.695,
    ("tanh", *TORCH_10): -2.417,
    ("relu", *TORCH_10): -3.502,
    ("gelu", *TORCH_10): -4.601,
    ("silu", *TORCH_10): -4.737,
    ("relu", 2, 0): 0.0,
    ("tanh", 2, 0): 0.014,
    ("sigmoid", 2, 0): -4.554,
    ("selu", 1, 0): 0.135,
}


def total_dex(name, sw2, sb2, depth=10):
    _, gain = variance_profile(name, depth, sw2, sb2, start=sw2 + sb2)
    return 0.5 * np.log10(gain[:-1]).sum()


@pytest.mark.parametrize("case", TEN_BY_TEN)
def test_total_dex_of_ten_by_ten_networks(case):
    assert total_dex(*case) == pytest.approx(TEN_BY_TEN[case], abs=1e-3)


@pytest.mark.parametrize("case", TEN_BY_TEN)
def test_total_dex_against_four_thousand_networks(case):
    name, sw2, sb2 = case
    predicted = total_dex(name, sw2, sb2)
    if case == ("gelu", 1, 0):  # elasticity above 1: a few strong networks make the RMS
        predicted += finite_width_dex(name, sw2, sb2)
    measured = monte_carlo_total_dex(name, sw2, sb2)
    assert measured == pytest.approx(predicted, abs=0.20)


def test_gelu_at_width_ten_is_beyond_the_product_of_infinite_width():
    assert finite_width_dex("gelu", 1.0, 0.0) > 0.1
    assert abs(finite_width_dex("sigmoid", 1.0, 0.0)) < 0.05


def finite_width_dex(name, sw2, sb2, width=10, depth=10):
    """What the root mean square of drawn networks lies above the product of infinite width."""
    q, _ = variance_profile(name, depth, sw2, sb2, start=sw2 + sb2)
    layers = np.ones(depth)
    drawn, _ = sample_networks(
        find(name), moments(name, q), q, width * layers, sw2 * layers, sb2 * layers
    )
    first, last = np.log10(np.mean(np.exp(drawn[:, [0, -1]]), 0))
    return 0.5 * (first - last)


def test_the_monte_carlo_would_notice_another_initialisation():
    assert abs(monte_carlo_total_dex("relu", 1.0, 0.0) - total_dex("relu", 2.0, 0.0)) > 1.0


def monte_carlo_total_dex(name, sw2, sb2, networks=4000, width=10, depth=10):
    """RMS of |delta^1| over that of |delta^L|, by a forward and backward pass written out.

    Uniform weights and biases for Keras and PyTorch, normal ones for He and LeCun.
    """
    rng, phi = np.random.default_rng(7), find(name)
    normal = sw2 == 2 or name == "selu"

    def draw(*shape, variance):
        if normal:
            return np.sqrt(variance) * rng.standard_normal(shape)
        return rng.uniform(-1, 1, shape) * np.sqrt(3 * variance)

    x = np.ones((networks, width)) * rng.choice([-1.0, 1.0], width)
    weights, slopes = [], []
    for _ in range(depth):
        weights.append(draw(networks, width, width, variance=sw2 / width))
        z = np.einsum("rij,rj->ri", weights[-1], x) + draw(networks, width, variance=sb2)
        x = phi.value(z)
        slopes.append(phi.slope(z))
    last = slopes[-1] * rng.standard_normal((networks, width))
    delta = last
    for layer in range(depth - 2, -1, -1):
        delta = slopes[layer] * np.einsum("rij,ri->rj", weights[layer + 1], delta)
    return 0.5 * np.log10(np.mean(np.sum(delta**2, 1)) / np.mean(np.sum(last**2, 1)))


def test_layer_by_layer_arrays():
    q, gain = variance_profile("tanh", 10, 1.0)
    expected = [1, 0.39429, 0.23645, 0.16666, 0.12790, 0.10344, 0.08667, 0.07448, 0.06524, 0.05801]
    assert q == pytest.approx(expected, abs=1e-5)
    assert gain[[0, 1, 8]] == pytest.approx([0.46440, 0.63654, 0.89279], abs=1e-5)
    assert variance_profile("tanh", 10, 1.0)[1] == pytest.approx(moments("tanh", q).slope_square)


def test_a_critical_limit_is_not_a_critical_network():
    dex = [total_dex("tanh", 1.0, 0.0, depth) for depth in (10, 20, 50, 100)]
    assert dex == pytest.approx([-0.551, -0.711, -0.917, -1.071], abs=1e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: variance_map("tanh", 1.0, -1.0),
            "weight_variance = -1.0: must be finite and 0 or more, for example 0.05",
        ),
        (
            lambda: fixed_point("tanh", 1.0, bias_variance=float("nan")),
            "bias_variance = nan: must be finite and 0 or more, for example 0.05",
        ),
        (
            lambda: correlation_map("tanh", 1.5, 1.0, 1.0),
            "correlation = 1.5: must lie between -1 and 1, for example 0",
        ),
        (
            lambda: correlation_map("tanh", 0.5, 0.0, 1.0),
            "variance = 0: two inputs of no variance have no correlation; type 1.0",
        ),
        (
            lambda: fixed_point("tanh", 1.0, start=0.0),
            "start = 0: a signal of no variance goes nowhere; type  start=1.0",
        ),
        (
            lambda: variance_profile("tanh", 0, 1.0),
            "depth = 0: must be whole numbers of 1 or more, for example 10",
        ),
    ],
)
def test_bad_arguments_get_one_line(call, message):
    with pytest.raises(errors.SpecError) as caught:
        call()
    assert str(caught.value) == message
