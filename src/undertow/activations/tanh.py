"""The hyperbolic tangent."""

from __future__ import annotations

import numpy as np

from undertow.activations.activation import BOTH, Activation, Array
from undertow.activations.sigmoid import sigmoid_slope


def tanh_slope(z: Array) -> Array:
    return 4.0 * sigmoid_slope(2.0 * z)


ACTIVATION = Activation(
    "tanh",
    np.tanh,
    tanh_slope,
    largest_slope=1.0,
    flat=BOTH,
    may_die=False,
    torch=("Tanh", "tanh"),
    keras=("tanh",),
    jax=("tanh",),
    place=2,
)
