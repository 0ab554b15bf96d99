"""Gaussian moments against printed values, adaptive quadrature, closed forms and inequalities."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from undertow import errors
from undertow.activations.activation import find, named
from undertow.theory.gaussian.known import moments_of
from undertow.theory.gaussian.moments import gaussian_mean, moments, nodes

# Mean, E phi^2, E phi'^2 at variance 1 to eight digits, E phi'^4 to six.
TABLE = {
    "linear": (0, 1, 1, 1),
    "sigmoid": (0.5, 0.29337904, 0.04483624, 0.002286),
    "tanh": (0, 0.39429449, 0.46440290, 0.341509),
    "erf": (0, 0.46455905, 0.56941003, 0.540380),
    "hard_tanh": (0, 0.51605855, 0.68268949, 0.682689),
    "softsign": (0, 0.18301402, 0.22767134, 0.110742),
    "relu": (0.39894228, 0.5, 0.5, 0.5),
    "leaky_relu(0.2)": (0.31915382, 0.52, 0.52, 0.5008),
    "elu": (0.16052057, 0.64494542, 0.66810200, 0.594411),
    "selu": (0, 1, 1.07157499, 1.511353),
    "gelu": (0.28209479, 0.42522148, 0.45585087, 0.433956),
    "silu": (0.20662096, 0.35577552, 0.37948235, 0.286581),
    "softplus": (0.80605918, 0.92124591, 0.29337904, 0.131594),
    "mish": (0.24040389, 0.45234219, 0.47908376, 0.421736),
}
VARIANCES = st.floats(1e-4, 1e3)


@pytest.mark.parametrize("name", TABLE)
def test_the_printed_moments(name):
    at, (mean, square, slope_square, slope_fourth) = moments(name, 1.0), TABLE[name]
    found = at.mean, at.square, at.slope_square
    assert found == pytest.approx((mean, square, slope_square), abs=1e-7)
    assert at.slope_fourth == pytest.approx(slope_fourth, abs=1e-6)


@pytest.mark.parametrize("name", named())
@pytest.mark.parametrize("q", [0.03, 1.0, 40.0])
def test_all_moments_against_adaptive_quadrature(name, q):
    phi, root = find(name), math.sqrt(q)
    # Kinks as break points, and the region where a steep function lives.
    points = sorted({k / root for k in phi.kinks} | {-3 / root, 0.0, 3 / root} | {-4.0, 4.0})
    points = [p for p in points if abs(p) < 12]

    def oracle(f):
        def integrand(x):
            z = np.array(root * x)
            return float(f(phi.value(z), phi.slope(z), x)) * math.exp(-x * x / 2)

        edges = [-12.0, *points, 12.0]
        parts = [
            quad(integrand, a, b, epsabs=1e-13, epsrel=1e-12, limit=200)[0]
            for a, b in pairwise(edges)
        ]
        return math.fsum(parts) / math.sqrt(2 * math.pi)

    at = moments(name, q)
    slope_square = oracle(lambda v, s, x: s**2)
    expected = {
        "mean": oracle(lambda v, s, x: v),
        "square": oracle(lambda v, s, x: v**2),
        "fourth": oracle(lambda v, s, x: v**4),
        "slope_square": slope_square,
        "slope_fourth": oracle(lambda v, s, x: s**4),
        "square_slope_square": oracle(lambda v, s, x: v**2 * s**2),
        "square_rate": oracle(lambda v, s, x: v * s * x) / root,
        "slope_elasticity": oracle(lambda v, s, x: s**2 * (x * x - 1) / 2) / slope_square,
    }
    for field, value in expected.items():
        assert getattr(at, field) == pytest.approx(value, rel=1e-9, abs=1e-11), field


def nameless(name):
    """Return an activation of which nothing is known in closed form."""
    return find(name)._replace(name="nameless", negative_slope=None)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "linear", "erf"])
def test_closed_forms_agree_with_the_quadrature(name):
    q = np.array([1e-3, 0.5, 1.0, 30.0])
    closed, summed = moments(name, q), moments(nameless(name), q)
    assert moments_of(find(name)) is not None
    assert moments_of(nameless(name)) is None
    for field in closed._fields:
        expected = getattr(summed, field)
        assert getattr(closed, field) == pytest.approx(expected, rel=1e-11, abs=1e-13), field


def test_gelu_agrees_with_its_own_closed_form():
    q = np.array([0.1, 1.0, 5.0])
    mean = q / np.sqrt(2 * np.pi * (1 + q))
    square = q / 4 + q / (2 * np.pi) * (
        np.arcsin(q / (1 + q)) + 2 * q / ((1 + q) * np.sqrt(1 + 2 * q))
    )
    assert moments("gelu", q).mean == pytest.approx(mean, rel=1e-12)
    assert moments("gelu", q).square == pytest.approx(square, rel=1e-12)


def test_softplus_slope_is_the_sigmoid():
    assert moments("softplus", 1.0).slope_square == pytest.approx(moments("sigmoid", 1.0).square)


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(sorted(named())), q=VARIANCES)
def test_gaussian_poincare_inequality(name, q):
    at = moments(name, q)
    assert at.variance <= q * at.slope_square * (1 + 1e-9) + 1e-12


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(sorted(named())), q=VARIANCES)
def test_even_powers_obey_jensen(name, q):
    at = moments(name, q)
    assert at.fourth >= at.square**2 * (1 - 1e-9)
    assert at.slope_fourth >= at.slope_square**2 * (1 - 1e-9)
    assert at.square >= at.mean**2 * (1 - 1e-9)


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(sorted(named())), q=st.floats(0.01, 50.0))
def test_rates_are_derivatives(name, q):
    low, high = moments(name, q * 0.999), moments(name, q * 1.001)
    rate = (high.square - low.square) / (0.002 * q)
    assert moments(name, q).square_rate == pytest.approx(rate, rel=1e-4, abs=1e-7)
    elasticity = np.log(high.slope_square / low.slope_square) / np.log(1.001 / 0.999)
    assert moments(name, q).slope_elasticity == pytest.approx(elasticity, rel=1e-3, abs=1e-5)


def test_at_variance_zero_both_sides_of_a_kink_count():
    at = moments("relu", 0.0)
    assert (at.square, at.slope_square) == (0.0, 0.5)
    assert moments("elu", 0.0).slope_square == pytest.approx(1.0)
    assert moments("selu", 0.0).slope_square == pytest.approx((1.0507010**2 + 1.7580993**2) / 2)


def test_shapes_follow_the_variance():
    assert moments("tanh", np.ones((2, 3))).fourth.shape == (2, 3)
    assert moments("relu", np.ones((2, 3))).mean.shape == (2, 3)
    assert gaussian_mean(np.cos, np.ones(4)) == pytest.approx(np.exp(-0.5) * np.ones(4))
    x, weight = nodes(np.ones((2, 3)), (0.5,))
    assert x.shape == weight.shape == (2, 3, 660)


def test_a_kink_left_out_costs_digits():
    honest = gaussian_mean(lambda z: (z > 0.3).astype(float), 1.0, kinks=(0.3,))
    careless = gaussian_mean(lambda z: (z > 0.3).astype(float), 1.0)
    exact = 0.5 * math.erfc(0.3 / math.sqrt(2))
    assert honest == pytest.approx(exact, abs=1e-14)
    assert abs(careless - exact) > 1e-4


@pytest.mark.parametrize(
    ("variance", "shown"),
    [(-1.0, "-1.0"), (float("nan"), "nan"), (float("inf"), "inf"), ([1.0, -2.0], "[1.0, -2.0]")],
)
def test_bad_variances_get_one_line(variance, shown):
    with pytest.raises(errors.SpecError) as caught:
        moments("tanh", variance)
    assert str(caught.value) == (
        f"variance = {shown}: must be finite and 0 or more, for example 0.05"
    )


def test_a_variance_that_is_no_number_gets_one_line():
    with pytest.raises(errors.SpecError) as caught:
        moments("tanh", "wide")
    assert str(caught.value) == "variance = 'wide': must be a number, for example 1.0"
