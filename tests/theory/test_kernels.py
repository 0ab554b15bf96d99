"""Kernel maps: closed forms, the series and the quadrature held against one another."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow import errors
from undertow.activations.activation import Activation, find, named
from undertow.theory.gaussian.kernels import kernel_maps, pair_means
from undertow.theory.gaussian.known import kernel_of
from undertow.theory.gaussian.mehler import series
from undertow.theory.gaussian.moments import moments
from undertow.theory.gaussian.pair_quadrature import integrate

CORRELATIONS = np.array([-1.0, -0.99, -0.5, 0.0, 0.3, 0.9, 0.99, 0.999, 0.9999, 1 - 1e-7, 1.0])
CLOSED = ["linear", "relu", "leaky_relu(0.2)", "erf", "hard_tanh", "gelu"]
MIXED = ["sigmoid", "tanh", "silu", "softplus", "centred_sigmoid"]
SMOOTH = sorted(set(named()) - {*CLOSED, "leaky_relu"})


def scales(phi, q1, q2):
    one, other = moments(phi, q1), moments(phi, q2)
    return (
        np.sqrt(one.square * other.square),
        np.sqrt(one.slope_square * other.slope_square),
    )


def batch(size=24, features=8, seed=0):
    x = np.random.default_rng(seed).standard_normal((size, features))
    x[1] = x[0] * 1.001
    x[2] = -x[0]
    return x @ x.T / features


@pytest.mark.parametrize("name", ["relu", "tanh", "selu", "hard_tanh"])
def test_the_quadrature_against_draws(name):
    phi, rng = find(name), np.random.default_rng(3)
    x, y = rng.standard_normal((2, 1_000_000))
    for q1, q2, c in [(1.0, 1.0, 0.5), (2.0, 0.5, -0.7), (3.0, 3.0, 0.95)]:
        u, v = np.sqrt(q1) * x, np.sqrt(q2) * (c * x + np.sqrt(1 - c * c) * y)
        value, slope = integrate(phi, *(np.array([part]) for part in (q1, q2, c)))
        for found, draws in (
            (value, phi.value(u) * phi.value(v)),
            (slope, phi.slope(u) * phi.slope(v)),
        ):
            error = np.std(draws) / np.sqrt(draws.size)
            assert found[0] == pytest.approx(np.mean(draws), abs=4 * error)


@pytest.mark.parametrize("name", [*CLOSED, *MIXED])
@pytest.mark.parametrize("q", [0.01, 1.0, 30.0])
def test_closed_forms_against_the_quadrature(name, q):
    phi = find(name)
    q1, q2 = np.full(CORRELATIONS.shape, q), np.full(CORRELATIONS.shape, 1.3 * q)
    closed = kernel_of(phi)
    assert closed is not None
    value, slope = closed(q1, q2, CORRELATIONS)
    expected_value, expected_slope = integrate(phi, q1, q2, CORRELATIONS)
    value_scale, slope_scale = scales(phi, q, 1.3 * q)
    assert value / value_scale == pytest.approx(expected_value / value_scale, abs=1e-7)
    assert slope / slope_scale == pytest.approx(expected_slope / slope_scale, abs=1e-7)


@pytest.mark.parametrize("name", [*SMOOTH, *CLOSED])
@pytest.mark.parametrize("q", [0.05, 1.0, 5.0, 100.0, 1000.0])
def test_the_series_is_as_good_as_it_says(name, q):
    phi, zero = find(name), np.zeros(CORRELATIONS.size, dtype=int)
    found = series(phi, np.array([q, 1.3 * q]), zero, zero + 1, CORRELATIONS)
    q1, q2 = np.full(CORRELATIONS.shape, q), np.full(CORRELATIONS.shape, 1.3 * q)
    value, slope = integrate(phi, q1, q2, CORRELATIONS)
    value_scale, slope_scale = scales(phi, q, 1.3 * q)
    error = np.maximum(
        np.abs(found.value - value) / value_scale, np.abs(found.slope - slope) / slope_scale
    )
    # The quadrature that it is held against is itself good for 1e-8 only.
    assert np.all(error <= 2 * found.error + 1e-8)
    if q <= 1 and name != "hard_tanh":
        assert np.all(error < 1e-5)


def test_a_short_series_admits_its_error():
    phi, zero = find("hard_tanh"), np.zeros(1, dtype=int)
    found = series(phi, np.array([1.0]), zero, zero, np.array([0.999]), 32)
    assert found.error[0] > 1e-3


@pytest.mark.parametrize("name", [*SMOOTH, *CLOSED])
def test_every_pair_of_a_batch_within_tolerance(name):
    phi, kernel = find(name), batch()
    maps = kernel_maps(name, kernel, tolerance=1e-6)
    q = np.diagonal(kernel)
    first, second = np.triu_indices(len(q), 1)
    scale = np.sqrt(q[first] * q[second])
    c = np.clip(kernel[first, second] / scale, -1, 1)
    value, slope = integrate(phi, q[first], q[second], c)
    value_scale, slope_scale = scales(phi, q[first], q[second])
    assert maps.value[first, second] == pytest.approx(value, abs=3e-6 * np.max(value_scale))
    assert maps.slope[first, second] == pytest.approx(slope, abs=3e-6 * np.max(slope_scale))
    assert maps.error <= 1e-6


@settings(max_examples=30, deadline=None)
@given(
    name=st.sampled_from([*SMOOTH, *CLOSED]),
    seed=st.integers(0, 1000),
    size=st.floats(0.05, 3.0),
)
def test_kernels_are_symmetric_and_positive(name, seed, size):
    maps = kernel_maps(name, batch(10, 4, seed) * size**2)
    for kernel in (maps.value, maps.slope):
        assert np.array_equal(kernel, kernel.T)
        smallest = np.linalg.eigvalsh(kernel)[0]
        assert smallest > -20 * max(maps.error, 1e-9) * np.trace(kernel)


@settings(max_examples=30, deadline=None)
@given(
    name=st.sampled_from([*SMOOTH, *CLOSED]),
    q=st.floats(0.01, 20.0),
    c=st.floats(-0.95, 0.95),
)
def test_price_theorem(name, q, c):
    """D E[phi(u) phi(v)] / dc is q E[phi'(u) phi'(v)]: value and slope check each other."""
    h = 1e-4
    value, slope = pair_means(name, q, q, np.array([c - h, c, c + h]))
    scale = q * moments(name, q).slope_square
    assert (value[2] - value[0]) / (2 * h) == pytest.approx(q * slope[1], abs=1e-4 * scale)


def test_the_diagonal_is_that_of_the_moments():
    kernel = batch()
    maps = kernel_maps("gelu", kernel)
    at = moments("gelu", np.diagonal(kernel))
    assert np.array_equal(np.diagonal(maps.value), at.square)
    assert np.array_equal(np.diagonal(maps.slope), at.slope_square)


def test_a_function_with_kinks_of_its_own():
    steps = Activation(
        "two kinks",
        lambda z: np.clip(z, -0.5, 2.0),
        lambda z: ((z > -0.5) & (z < 2.0)).astype(float),
        (-0.5, 2.0),
    )
    q, c = np.array([1.0, 2.0]), np.array([0.6])
    zero = np.zeros(1, dtype=int)
    found = series(steps, q, zero, zero + 1, c)
    value, slope = integrate(steps, q[:1], q[1:], c)
    assert (found.value, found.slope) == (pytest.approx(value), pytest.approx(slope))


def test_a_silent_input_and_a_batch_of_one():
    maps = kernel_maps("tanh", [[1.0, 0.0], [0.0, 0.0]])
    assert maps.value[0, 1] == pytest.approx(0.0, abs=1e-12)
    assert maps.slope[0, 1] == pytest.approx(float(moments_mean_slope(1.0)), rel=1e-9)
    assert kernel_maps("tanh", [[1.0]]).value.shape == (1, 1)


def moments_mean_slope(q):
    from undertow.theory.gaussian.moments import gaussian_mean

    return gaussian_mean(find("tanh").slope, q)


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        ([1.0, 2.0], "kernel of shape (2,): must be [B, B], a number for every pair"),
        (
            [[1.0, np.nan], [np.nan, 1.0]],
            "kernel: has NaN or infinite entries; check the inputs it was made from",
        ),
        (
            [[-1.0, 0.0], [0.0, 1.0]],
            "kernel: has a negative variance on its diagonal; it is no covariance",
        ),
        (
            [[1.0, 0.2], [0.3, 1.0]],
            "kernel: is not symmetric; build it as  x @ x.T / inputs",
        ),
        (
            [[1.0, 2.0], [2.0, 1.0]],
            "kernel: an entry exceeds the square root of its two diagonal entries, so it is no "
            "covariance; build it as  x @ x.T / inputs",
        ),
    ],
)
def test_bad_kernels_get_one_line(kernel, message):
    with pytest.raises(errors.SpecError) as caught:
        kernel_maps("tanh", kernel)
    assert str(caught.value) == message
