"""What is read off a trace: arrays whose dims stand in one order, whatever a writer's was."""

from __future__ import annotations

import numpy as np
import pytest
import xarray

from undertow.trace import readings
from undertow.trace.record import Trace


def trace(name: str, array: np.ndarray, *dims: str) -> Trace:
    return Trace(xarray.Dataset({name: (dims, array)}))


@pytest.mark.parametrize(
    "dims",
    [
        ("replicate", "step", "layer"),
        ("layer", "step", "replicate"),
        ("step", "layer", "replicate"),
    ],
)
def test_the_order_of_dims_is_free(dims: tuple[str, ...]):
    wanted = np.arange(24.0).reshape(2, 3, 4)
    places = [("replicate", "step", "layer").index(dim) for dim in dims]
    given = trace("grad_norm", wanted.transpose(places), *dims)
    assert readings.values(given, "grad_norm").tolist() == wanted.tolist()


def test_a_variable_has_the_dims_that_it_has():
    assert readings.values(trace("overhead", np.array([0.1, 0.2]), "step"), "overhead").shape == (
        2,
    )
    loss = trace("loss", np.array([[1.0], [2.0]]), "step", "replicate")
    assert readings.values(loss, "loss").tolist() == [[1.0, 2.0]]


def test_over_a_dim_that_is_not_known_the_mean_is_taken_of_what_was_measured():
    array = np.array([[[[1.0, 3.0], [np.nan, 5.0], [np.nan, np.nan]]]], np.float32)
    heads = trace("grad_norm", array, "replicate", "step", "layer", "head")
    found = readings.values(heads, "grad_norm")
    assert np.array_equal(found, [[[2.0, 5.0, np.nan]]], equal_nan=True)
    assert found.dtype == np.float32


def test_total_dex_keeps_the_precision_that_it_was_measured_in():
    delta = np.array([[[1e-6, 1e-2, 1.0, 7.0]]], np.float32)
    given = trace("delta_norm", delta, "replicate", "step", "layer")
    found = readings.total_dex(given)
    assert found.dtype == np.float32
    assert found.tolist() == pytest.approx([-6.0])
