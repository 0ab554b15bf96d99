"""The exponential linear unit."""

from __future__ import annotations

import numpy as np

from undertow.activations.activation import Activation, Array


def elu(z: Array) -> Array:
    return np.where(z > 0, z, np.expm1(np.minimum(z, 0.0)))


def elu_slope(z: Array) -> Array:
    return np.exp(np.minimum(z, 0.0))


ACTIVATION = Activation(
    "elu",
    elu,
    elu_slope,
    (0.0,),
    largest_slope=1.0,
    flat=("below",),
    may_die=False,
    torch=("ELU", "elu"),
    keras=("elu",),
    jax=("elu",),
    place=5,
)
