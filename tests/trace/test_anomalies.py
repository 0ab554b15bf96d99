"""A zero gradient is an underflow only where the layer above shows that it was nearly lost."""

from __future__ import annotations

import numpy as np

from undertow.trace.anomalies import anomalies
from undertow.trace.record import Chunk, Event, Header, Layer, build, provenance


def trace_of(**arrays: np.ndarray):
    layers = tuple(Layer(f"hidden_{i}", i, "linear", "sigmoid", 2, 2) for i in (1, 2, 3))
    shape = next(iter(arrays.values())).shape
    chunk = Chunk(np.arange(1, shape[1] + 1), np.ones(shape[1], int), arrays)
    header = Header(layers, tuple(range(shape[0])), provenance("trained", dtype="float32"))
    return build(header, [chunk])


def test_a_zero_under_a_nearly_lost_gradient_is_an_underflow():
    delta = np.array([[[0.0, 0.0, 1e-36]]])
    (event,) = anomalies(trace_of(delta_norm=delta))
    assert event == Event("underflow", 1, "hidden_2", 0, "too small for float32")


def test_a_zero_under_a_healthy_gradient_is_a_zero():
    assert anomalies(trace_of(delta_norm=np.array([[[0.0, 0.0, 0.3]]]))) == ()


def test_the_first_step_with_nan_is_named():
    bad = np.zeros((2, 3, 3))
    bad[1, 1, :2] = 4
    bad[1, 2] = 9
    (event,) = anomalies(trace_of(nonfinite=bad))
    assert event == Event("nonfinite", 2, "hidden_2", 1, "NaN or Inf in dE/dW")


def test_a_trace_without_these_variables_has_no_anomalies():
    assert anomalies(trace_of(grad_norm=np.ones((1, 1, 3)))) == ()
