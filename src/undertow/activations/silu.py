"""z times its logistic function; called swish too."""

from __future__ import annotations

from undertow.activations.activation import Activation, Array
from undertow.activations.sigmoid import sigmoid


def silu(z: Array) -> Array:
    return z * sigmoid(z)


def silu_slope(z: Array) -> Array:
    return sigmoid(z) * (1.0 + z * sigmoid(-z))


ACTIVATION = Activation(
    "silu",
    silu,
    silu_slope,
    largest_slope=1.099839320129,  # at 2.399357
    flat=("below",),
    torch=("SiLU", "silu"),
    keras=("silu", "swish"),
    jax=("silu", "swish"),
    place=8,
)
