"""z itself."""

from __future__ import annotations

from undertow.activations.leaky_relu import leaky_relu

ACTIVATION = leaky_relu(1.0)._replace(
    name="linear",
    kinks=(),
    may_die=False,
    torch=("Identity",),
    keras=("linear",),
    jax=("identity",),
    place=11,
)
