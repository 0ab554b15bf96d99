"""Values, slopes and what is claimed of them."""

import numpy as np
import pytest

from undertow import errors
from undertow.activations.activation import Activation, find, largest_slope, named
from undertow.activations.erf import erf as our_erf
from undertow.activations.leaky_relu import leaky_relu
from undertow.activations.sigmoid import sigmoid_slope
from undertow.spec import network

Z = np.linspace(-12.0, 12.0, 4001) + 1e-4


@pytest.mark.parametrize("name", named())
def test_the_slope_is_the_derivative_of_the_value(name):
    phi, h = find(name), 1e-5
    away = np.min(np.abs(Z[:, None] - np.array([*phi.kinks, 99.0])), axis=1) > 2 * h
    difference = (phi.value(Z + h) - phi.value(Z - h)) / (2 * h)
    assert phi.slope(Z)[away] == pytest.approx(difference[away], abs=2e-9)


def test_a_wrong_slope_would_be_seen():
    difference = (np.tanh(Z + 1e-5) - np.tanh(Z - 1e-5)) / 2e-5
    assert sigmoid_slope(Z) != pytest.approx(difference, abs=1e-3)


@pytest.mark.parametrize("name", named())
def test_the_largest_slope_is_the_supremum(name):
    phi = find(name)
    assert phi.largest_slope == pytest.approx(
        largest_slope(phi._replace(largest_slope=None)), abs=2e-7
    )


@pytest.mark.parametrize("name", named())
@pytest.mark.parametrize("size", [30.0, 1e3, 1e150])
def test_no_overflow_far_out(name, size):
    phi = find(name)
    ends = np.array([-size, size])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert np.all(np.isfinite(phi.slope(ends)))
        if size < 1e100:
            assert np.all(np.isfinite(phi.value(ends)))


def test_every_activation_of_a_network_is_known():
    assert set(network.ACTIVATIONS) <= set(named())


def test_erf_is_the_same_by_either_library():
    from scipy.special import erf

    z = np.linspace(-6, 6, 1001)
    assert our_erf(z) == pytest.approx(erf(z), abs=1e-15)
    assert our_erf(np.zeros(600_000)).shape == (600_000,)


def test_a_centred_sigmoid_is_half_a_tanh_of_half():
    assert find("centred_sigmoid").value(Z) == pytest.approx(find("sigmoid").value(Z) - 0.5)


def test_leaky_relu_takes_its_slope_in_brackets():
    assert find("leaky_relu(0.3)").slope(np.array([-1.0]))[0] == 0.3
    assert find("leaky_relu").slope(np.array([-1.0]))[0] == 0.01
    assert leaky_relu(-2.0).largest_slope == 2.0


def test_a_function_of_ones_own_passes_through():
    mine = Activation("sine", np.sin, np.cos)
    assert find(mine) is mine
    assert largest_slope(mine) == pytest.approx(1.0, abs=1e-8)


@pytest.mark.parametrize(
    ("what", "error", "message"),
    [
        (
            "tahn",
            errors.UnknownName,
            "unknown activation 'tahn': did you mean 'tanh'? Allowed: " + ", ".join(named()),
        ),
        (
            np.tanh,
            errors.SpecError,
            "activation = <ufunc 'tanh'>: must be a name, for example 'tanh', or "
            "Activation(name, value, slope) for a function of yours",
        ),
        (
            "leaky_relu(x)",
            errors.SpecError,
            "activation = 'leaky_relu(x)': leaky_relu takes one number; type  leaky_relu(0.2)",
        ),
        (
            "leaky_relu(nan)",
            errors.SpecError,
            "negative_slope = nan: must be finite, for example 0.01",
        ),
    ],
)
def test_bad_activations_get_one_line(what, error, message):
    with pytest.raises(error) as caught:
        find(what)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
