"""Critical initialisation: printed values, an independent root search, honest refusals."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq

from undertow import errors
from undertow.activations.activation import Activation, named
from undertow.theory.signal.critical import CriticalPoint, critical, critical_line
from undertow.theory.signal.maps import gradient_gain, variance_map, variance_slope

# sb2 -> (sw2, q*, V') on tanh's critical line.
TANH = {
    1e-5: (1.039521, 0.020338, 0.96161),
    2e-5: (1.049912, 0.025874, 0.95188),
    0.001: (1.189190, 0.107292, 0.83421),
    0.01: (1.424205, 0.273301, 0.67819),
    0.04: (1.700796, 0.512079, 0.54256),
    0.05: (1.760955, 0.570048, 0.51819),
    0.1: (1.986073, 0.805799, 0.43945),
}


@pytest.mark.parametrize("bias", TANH)
def test_the_tanh_line(bias):
    point = critical("tanh", bias)
    weight, fixed, slope = TANH[bias]
    assert point.weight_variance == pytest.approx(weight, abs=1e-5)
    assert point.fixed_point == pytest.approx(fixed, abs=1e-6)
    assert float(variance_slope("tanh", fixed, weight)) == pytest.approx(slope, abs=1e-5)
    assert point.stable


def test_tanh_at_bias_variance_005_by_scipy_alone():
    def mean(f, q):
        density = lambda x: np.exp(-x * x / 2) / np.sqrt(2 * np.pi)  # noqa: E731
        return 2 * quad(lambda x: f(np.tanh(np.sqrt(q) * x)) * density(x), 0, 12)[0]

    def bias(q):
        return q - mean(lambda t: t**2, q) / mean(lambda t: (1 - t**2) ** 2, q)

    q = brentq(lambda q: bias(q) - 0.05, 0.1, 2.0, xtol=1e-12)
    weight = 1 / mean(lambda t: (1 - t**2) ** 2, q)
    assert critical("tanh", 0.05).weight_variance == pytest.approx(weight, abs=1e-8)
    assert weight == pytest.approx(1.760955, abs=1e-5)


def test_points_at_zero_bias():
    assert critical("tanh") == pytest.approx((1.0, 0.0, 0.0, True))
    assert critical("elu") == pytest.approx((1.0, 0.0, 0.0, True))
    assert critical("erf") == pytest.approx((np.pi / 4, 0.0, 0.0, True))
    assert critical("relu") == CriticalPoint(2.0, 0.0, None, True)
    assert critical("linear") == CriticalPoint(1.0, 0.0, None, True)
    for slope, weight in {0.01: 1.99980, 0.1: 1.98020, 0.2: 1.92308, 0.3: 1.83486}.items():
        assert critical(f"leaky_relu({slope})").weight_variance == pytest.approx(weight, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "bias", "weight", "fixed"),
    [
        ("elu", 0.01, 1.383325, 0.43783),
        ("elu", 0.05, 1.533718, 1.30091),
        ("erf", 0.05, 1.375839, 0.517177),
        ("selu", 0.066794, 0.933206, 1.0),
        ("sigmoid", 1.0, 105.37008, 47.8005),
    ],
)
def test_points_at_other_biases(name, bias, weight, fixed):
    point = critical(name, bias)
    assert point.weight_variance == pytest.approx(weight, rel=2e-6)
    assert point.fixed_point == pytest.approx(fixed, rel=1e-4)
    assert point.stable


@pytest.mark.parametrize(
    ("name", "weight", "bias", "fixed"),
    [
        ("gelu", 1.98305826, 0.17292239, (3 + np.sqrt(17)) / 2),
        ("silu", 1.98800468, 0.55514317, 14.32017362),
    ],
)
def test_double_critical_points_have_both_slopes_one(name, weight, bias, fixed):
    line_weight, line_bias = critical_line(name, np.array([fixed]))
    assert (line_weight[0], line_bias[0]) == pytest.approx((weight, bias), abs=1e-7)
    assert float(variance_slope(name, fixed, line_weight[0])) == pytest.approx(1.0, abs=1e-8)
    point = critical(name, bias)
    assert point.weight_variance == pytest.approx(weight, abs=1e-7)
    assert point.fixed_point == pytest.approx(fixed, abs=1e-5)
    assert critical(name, bias + 0.01).stable
    assert not critical(name, bias - 0.01).stable
    assert not critical(name).stable


def test_sigmoid_is_critical_far_out_only():
    point = critical("sigmoid")
    assert point.weight_variance == pytest.approx(103.00756, abs=1e-4)
    assert point.fixed_point == pytest.approx(45.624278, abs=1e-5)
    assert point.stable
    _, bias = critical_line("sigmoid", np.geomspace(1e-6, 45, 200))
    assert np.all(bias < 0)


@pytest.mark.parametrize("bias", [0.0, 0.05, 0.3])
def test_a_centred_sigmoid_is_a_tanh_in_other_units(bias):
    tanh, centred = critical("tanh", bias), critical("centred_sigmoid", 4 * bias)
    assert centred.weight_variance == pytest.approx(16 * tanh.weight_variance, rel=1e-9)
    assert centred.fixed_point == pytest.approx(4 * (tanh.fixed_point or 0.0), rel=1e-9)


@pytest.mark.parametrize("bias", [0.0, 0.5, 10.0])
def test_softplus_has_none(bias):
    with pytest.raises(errors.NoCriticalPoint) as caught:
        critical("softplus", bias)
    assert str(caught.value) == (
        "softplus has no critical initialisation: wherever the gradient would keep its size, the "
        "pre-activations could only keep theirs with a negative bias variance"
    )


def test_relu_has_none_with_a_bias():
    with pytest.raises(errors.NoCriticalPoint) as caught:
        critical("relu", 0.1)
    assert str(caught.value) == (
        "relu has no critical initialisation at bias variance 0.1: at its critical weight variance "
        "2 every layer adds the bias variance and nothing takes it away; type  bias_variance=0"
    )


def test_a_bias_beyond_the_search_says_so():
    with pytest.raises(errors.NoCriticalPoint, match=r"^tanh has no .* 1e\+07: the largest it "):
        critical("tanh", 1e7)


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(sorted(set(named()) - {"relu", "leaky_relu", "linear", "softplus"})),
    bias=st.floats(1e-6, 100.0),
)
def test_every_point_is_a_fixed_point_of_gain_one(name, bias):
    point = critical(name, bias)
    q = point.fixed_point
    assert q is not None
    assert float(gradient_gain(name, q, point.weight_variance)) == pytest.approx(1.0, rel=1e-9)
    assert float(variance_map(name, q, point.weight_variance, bias)) == pytest.approx(q, rel=1e-8)
    slope = float(variance_slope(name, q, point.weight_variance))
    assert point.stable == (slope <= 1 + 1e-7)


def test_a_function_of_ones_own():
    sine = critical(Activation("sine", np.sin, np.cos), 0.05)
    # E cos^2 = (1 + e^-2q) / 2 and E sin^2 = (1 - e^-2q) / 2.
    q = sine.fixed_point
    assert q is not None
    assert sine.weight_variance == pytest.approx(2 / (1 + np.exp(-2 * q)), rel=1e-9)
    assert q - sine.weight_variance * (1 - np.exp(-2 * q)) / 2 == pytest.approx(0.05, abs=1e-9)


@pytest.mark.parametrize("bias", [-0.1, float("nan"), float("inf"), "wide"])
def test_bad_biases_get_one_line(bias):
    with pytest.raises(errors.SpecError, match=f"^bias_variance = {bias!r}: must be [^\n]*$"):
        critical("tanh", bias)


def test_unknown_activation():
    with pytest.raises(errors.UnknownName, match="did you mean 'softplus'"):
        critical("sofplus")


def test_neither_scipy_nor_pydantic_is_imported_on_the_way():
    code = (
        "import sys; from undertow.theory.signal.critical import critical;"
        "[critical(name) for name in ('tanh', 'gelu', 'sigmoid', 'hard_tanh', 'erf', 'relu')];"
        "print(sorted({'scipy', 'pydantic', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
