"""z / (1 + |z|)."""

from __future__ import annotations

import numpy as np

from undertow.activations.activation import BOTH, Activation

ACTIVATION = Activation(
    "softsign",
    lambda z: z / (1.0 + np.abs(z)),
    lambda z: (1.0 + np.abs(z)) ** -2.0,
    (0.0,),
    largest_slope=1.0,
    flat=BOTH,
    may_die=False,
    torch=("Softsign", "softsign"),
    keras=("softsign",),
    jax=("soft_sign",),
    in_networks=False,
    place=13,
)
