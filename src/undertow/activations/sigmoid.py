"""The logistic function."""

from __future__ import annotations

import numpy as np

from undertow.activations.activation import BOTH, Activation, Array


def sigmoid(z: Array) -> Array:
    return 0.5 + 0.5 * np.tanh(0.5 * z)


def sigmoid_slope(z: Array) -> Array:
    # sigmoid * (1 - sigmoid) would lose every digit where sigmoid rounds to 1.
    small = np.exp(-np.abs(z))
    return small / (1.0 + small) ** 2


ACTIVATION = Activation(
    "sigmoid",
    sigmoid,
    sigmoid_slope,
    largest_slope=0.25,
    flat=BOTH,
    may_die=False,
    torch=("Sigmoid", "sigmoid"),
    keras=("sigmoid",),
    jax=("sigmoid", "logistic"),
    place=1,
)
