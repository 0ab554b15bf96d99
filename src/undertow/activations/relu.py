"""The rectifier: z above 0, and nothing below."""

from __future__ import annotations

from undertow.activations.leaky_relu import leaky_relu

ACTIVATION = leaky_relu(0.0)._replace(
    name="relu",
    flat=("below",),
    torch=("ReLU", "relu"),
    keras=("relu",),
    jax=("relu",),
    place=3,
)
