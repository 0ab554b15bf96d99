"""An ELU whose two numbers keep mean 0 and variance 1 (arXiv:1706.02515)."""

from __future__ import annotations

import numpy as np

from undertow.activations.activation import Activation, Array

SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772


def selu(z: Array) -> Array:
    return SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * np.expm1(np.minimum(z, 0.0)))


def selu_slope(z: Array) -> Array:
    return SELU_SCALE * np.where(z > 0, 1.0, SELU_ALPHA * np.exp(np.minimum(z, 0.0)))


ACTIVATION = Activation(
    "selu",
    selu,
    selu_slope,
    (0.0,),
    largest_slope=SELU_SCALE * SELU_ALPHA,
    flat=("below",),
    may_die=False,
    torch=("SELU", "selu"),
    keras=("selu",),
    jax=("selu",),
    place=6,
)
