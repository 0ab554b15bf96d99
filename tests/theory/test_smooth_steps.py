"""Smoothed steps: closed forms and their logistic mixtures against quadrature, draws and limits."""

import math

import numpy as np
import pytest

from undertow.activations.activation import find
from undertow.theory.gaussian import pair_quadrature, smooth_steps
from undertow.theory.gaussian.closed_forms import two_slopes_kernel
from undertow.theory.gaussian.known import kernel_of
from undertow.theory.gaussian.moments import moments
from undertow.theory.gaussian.pair_quadrature import integrate

NAMES = ["sigmoid", "centred_sigmoid", "tanh", "silu", "softplus", "gelu"]
C = np.array([-1.0, -0.99, -0.5, 0.0, 0.3, 0.9, 0.99, 0.999, 0.9999, 1 - 1e-7, 1.0])


@pytest.fixture(autouse=True)
def _a_fine_quadrature(monkeypatch):
    """With its 16 nodes it is itself good for 1e-6 only where tanh is steep."""
    monkeypatch.setattr(pair_quadrature, "NODES", 40)


def errors(name, q, ratio=1.3):
    """Largest differences to the quadrature, on the scale of each variance's own average."""
    phi = find(name)
    q1, q2 = np.full(C.shape, q), np.full(C.shape, ratio * q)
    one, other = moments(phi, q), moments(phi, ratio * q)
    found, expected = kernel_of(phi)(q1, q2, C), integrate(phi, q1, q2, C)
    scales = one.square * other.square, one.slope_square * other.slope_square
    return [
        np.max(np.abs(left - right)) / np.sqrt(scale)
        for left, right, scale in zip(found, expected, scales, strict=True)
    ]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("q", [1e-16, 1e-4, 0.05, 0.5, 1.0, 2.0, 8.0, 30.0, 1e3, 1e5])
def test_against_the_quadrature(name, q):
    assert max(errors(name, q)) < 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_very_unlike_variances(name):
    assert max(errors(name, 1.0, 1e4)) < 1e-9


def test_fewer_scales_would_be_noticed(monkeypatch):
    monkeypatch.setattr(smooth_steps, "NODES", 5)
    assert max(errors("sigmoid", 1.0)) > 5e-9


@pytest.mark.parametrize("name", NAMES)
def test_at_correlation_one_it_is_the_moments(name):
    phi, q = find(name), np.geomspace(1e-16, 1e12, 57)
    value, slope = kernel_of(phi)(q, q, np.ones(q.size))
    at = moments(phi, q)
    assert value == pytest.approx(at.square, rel=1e-9)
    assert slope == pytest.approx(at.slope_square, rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_against_draws(name):
    phi, rng = find(name), np.random.default_rng(3)
    x, y = rng.standard_normal((2, 1_000_000))
    for q1, q2, c in [(1.0, 1.0, 0.5), (2.0, 0.5, -0.7), (1e4, 1e6, 0.95)]:
        u, v = math.sqrt(q1) * x, math.sqrt(q2) * (c * x + math.sqrt(1 - c * c) * y)
        found = kernel_of(phi)(*(np.array([part]) for part in (q1, q2, c)))
        for of, f in zip(found, (phi.value, phi.slope), strict=True):
            draws = f(u) * f(v)
            error = np.std(draws) / math.sqrt(draws.size)
            assert of[0] == pytest.approx(np.mean(draws), abs=4 * error)


@pytest.mark.parametrize("name", ["silu", "softplus", "gelu"])
def test_from_far_away_they_are_relu(name):
    c, q = np.linspace(-0.9, 0.9, 7), np.full(7, 1e120)
    value, slope = kernel_of(find(name))(q, q, c)
    expected = two_slopes_kernel(q, q, c, 0.0)
    assert value == pytest.approx(expected[0], rel=1e-12)
    assert slope == pytest.approx(expected[1], rel=1e-12)


def test_from_far_away_sigmoid_is_a_step_and_tanh_a_sign():
    c, q = np.linspace(-0.9, 0.9, 7), np.full(7, 1e120)
    angle = np.arcsin(c) / (2 * math.pi)
    assert kernel_of(find("sigmoid"))(q, q, c)[0] == pytest.approx(0.25 + angle, abs=1e-12)
    assert kernel_of(find("tanh"))(q, q, c)[0] == pytest.approx(4 * angle, abs=1e-12)


def test_the_mixture_is_the_logistic_distribution():
    scales, weights = smooth_steps.logistic_scales(30)
    z = np.linspace(-12, 12, 49)
    normal = 0.5 + 0.5 * find("erf").value(z[:, None] / scales / math.sqrt(2))
    assert normal @ weights == pytest.approx(find("sigmoid").value(z), abs=1e-10)


def test_a_silent_sample():
    zero, one, c = np.zeros(1), np.ones(1), np.zeros(1)
    for name in NAMES:
        phi = find(name)
        value, slope = kernel_of(phi)(zero, one, c)
        at_zero = float(phi.value(np.zeros(1))[0]), float(phi.slope(np.zeros(1))[0])
        at = moments(phi, 1.0)
        assert value[0] == pytest.approx(at_zero[0] * float(at.mean), abs=1e-10)
        from_quadrature = integrate(phi, zero, one, c)[1][0]
        assert slope[0] == pytest.approx(from_quadrature, abs=1e-9)
