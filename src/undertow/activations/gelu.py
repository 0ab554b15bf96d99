"""z times the share of a standard normal below z."""

from __future__ import annotations

import math

import numpy as np

from undertow.activations.activation import Activation, Array
from undertow.activations.erf import erf


def gelu(z: Array) -> Array:
    return 0.5 * z * (1.0 + erf(z / math.sqrt(2.0)))


def gelu_slope(z: Array) -> Array:
    density = np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
    return 0.5 * (1.0 + erf(z / math.sqrt(2.0))) + z * density


ACTIVATION = Activation(
    "gelu",
    gelu,
    gelu_slope,
    largest_slope=1.128904145185,  # at sqrt 2
    flat=("below",),
    torch=("GELU", "gelu"),
    keras=("gelu",),
    jax=("gelu",),
    place=7,
)
