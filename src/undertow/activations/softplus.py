"""log(1 + exp z), a rectifier without a kink."""

from __future__ import annotations

import numpy as np

from undertow.activations.activation import Activation, Array
from undertow.activations.sigmoid import sigmoid


def softplus(z: Array) -> Array:
    return np.logaddexp(0.0, z)


ACTIVATION = Activation(
    "softplus",
    softplus,
    sigmoid,
    largest_slope=1.0,
    flat=("below",),
    may_die=False,
    torch=("Softplus", "softplus"),
    keras=("softplus",),
    jax=("softplus",),
    place=9,
)
