"""z tanh(softplus z)."""

from __future__ import annotations

import numpy as np

from undertow.activations.activation import Activation, Array
from undertow.activations.sigmoid import sigmoid
from undertow.activations.softplus import softplus
from undertow.activations.tanh import tanh_slope


def mish(z: Array) -> Array:
    return z * np.tanh(softplus(z))


def mish_slope(z: Array) -> Array:
    inner = softplus(z)
    return np.tanh(inner) + z * sigmoid(z) * tanh_slope(inner)


ACTIVATION = Activation(
    "mish",
    mish,
    mish_slope,
    largest_slope=1.088498161252,  # at 1.490571
    flat=("below",),
    torch=("Mish", "mish"),
    keras=("mish",),
    jax=("mish",),
    in_networks=False,
    place=14,
)
