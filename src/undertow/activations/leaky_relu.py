"""A rectifier that lets a share through below 0."""

from __future__ import annotations

import math

import numpy as np

from undertow.activations.activation import Activation
from undertow.errors import SpecError


def leaky_relu(negative_slope: float = 0.01) -> Activation:
    """Return z for z > 0 and `negative_slope` z below; .01 is PyTorch's default, Keras has .2, .3.

    >>> leaky_relu(0.3).name
    'leaky_relu(0.3)'
    """
    if not math.isfinite(negative_slope):
        raise SpecError(f"negative_slope = {negative_slope}: must be finite, for example 0.01")
    return Activation(
        f"leaky_relu({negative_slope:g})",
        lambda z: np.where(z > 0, z, negative_slope * z),
        lambda z: np.where(z > 0, 1.0, negative_slope),
        (0.0,),
        max(1.0, abs(negative_slope)),
        negative_slope,
    )


# Its units may die: a trace tells the name, and not the share, which may be 0.
ACTIVATION = leaky_relu()._replace(
    name="leaky_relu",
    with_number=leaky_relu,
    torch=("LeakyReLU", "leaky_relu"),
    keras=("leaky_relu",),
    jax=("leaky_relu",),
    place=4,
)
