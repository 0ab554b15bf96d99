"""The scatter that drawn outputs make, against one-dimensional integrals and against networks."""

import numpy as np
import pytest

from tests.theory.one_batch import gradients
from undertow.errors import UnknownName
from undertow.theory.finite_width.output_scatter import error_scatter

BATCH = 24


@pytest.mark.parametrize("power", [0.01, 0.3, 4.0])
@pytest.mark.parametrize("ones", [6, 12])
def test_a_network_that_answers_alike_for_every_sample(power, ones):
    """Then the norm is B |sigmoid(z) - mean target| for one normal z."""
    z = np.sqrt(power) * np.random.default_rng(1).standard_normal(200_000)
    norm = BATCH * np.abs(1 / (1 + np.exp(-z)) - ones / BATCH)
    targets = [1] * ones + [0] * (BATCH - ones)
    kernel = np.full((BATCH, BATCH), power)
    shift, sd = error_scatter(
        [np.ones((BATCH, BATCH))], kernel, 1, targets, "binary_cross_entropy", samples=20_000
    )
    logs = np.log10(norm)
    assert sd[0] == pytest.approx(logs.std(), abs=0.02)
    rms = 0.5 * np.log10(np.mean(norm**2))
    assert shift[0] == pytest.approx(np.median(logs) - rms, abs=0.02)


def test_an_error_that_does_not_scatter():
    """Of all but silent outputs every error is the target's own."""
    kernel = 1e-12 * np.eye(BATCH)
    shift, sd = error_scatter([np.eye(BATCH)], kernel, 10, np.arange(BATCH) % 10)
    assert np.abs([shift, sd]).max() < 1e-5


@pytest.mark.parametrize(
    ("loss", "outputs", "targets"),
    [
        ("cross_entropy", 4, np.arange(BATCH) % 4),
        ("binary_cross_entropy", 1, np.arange(BATCH) % 2),
        ("mean_squared_error", 3, np.ones((BATCH, 3))),
    ],
)
def test_against_networks_whose_last_layer_is_drawn(loss, outputs, targets):
    """One layer: dE/dW = error^T x / B, and nothing but the error scatters."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((BATCH, 6)) + 1.0
    found = gradients((), x @ x.T / 6, (6, outputs), 2.0, targets=targets, loss=loss)
    weights = np.sqrt(2.0 / 6) * rng.standard_normal((20_000, 6, outputs))
    z = x @ weights
    if loss == "cross_entropy":
        p = np.exp(z - z.max(-1, keepdims=True))
        error = p / p.sum(-1, keepdims=True) - np.eye(4)[targets]
    elif loss == "binary_cross_entropy":
        error = 1 / (1 + np.exp(-z)) - targets[:, None]
    else:
        error = 2 * (z - targets) / outputs
    logs = np.log10(np.linalg.norm(x.T @ error / BATCH, axis=(1, 2)))
    rms = np.log10(found.weight_norm[0])
    shift, sd = error_scatter(
        found.forms, found.output_kernel, outputs, targets, loss, samples=20_000
    )
    assert sd[0] == pytest.approx(logs.std(), abs=0.01)
    assert shift[0] == pytest.approx(np.median(logs) - rms, abs=0.01)


def test_forms_give_back_the_norms():
    x = np.random.default_rng(3).standard_normal((8, 5))
    error = np.random.default_rng(4).standard_normal((8, 3))
    found = gradients("tanh", x @ x.T / 5, (5, 30, 30, 3), 1.7, 0.1, error_kernel=error @ error.T)
    squares = [np.sum(form * (error @ error.T)) for form in found.forms]
    assert np.sqrt(squares) == pytest.approx(found.weight_norm)


def test_no_forms_where_the_way_back_is_no_product():
    x = np.random.default_rng(3).standard_normal((8, 5))
    for options in ({"normalisation": "layer"}, {"skips": [(1, 2)]}):
        assert gradients("tanh", x @ x.T / 5, (5, 9, 9, 3), 1.0, **options).forms is None


def test_an_unknown_loss():
    with pytest.raises(UnknownName, match="unknown loss 'hinge'"):
        error_scatter([np.eye(2)], np.eye(2), 1, [0, 1], "hinge")
