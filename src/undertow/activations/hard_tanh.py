"""z, cut off at -1 and 1."""

from __future__ import annotations

import numpy as np

from undertow.activations.activation import BOTH, Activation

ACTIVATION = Activation(
    "hard_tanh",
    lambda z: np.clip(z, -1.0, 1.0),
    lambda z: (np.abs(z) < 1.0).astype(np.float64),
    (-1.0, 1.0),
    largest_slope=1.0,
    flat=BOTH,
    torch=("Hardtanh", "hardtanh"),
    keras=("hard_tanh",),
    jax=("hard_tanh",),
    place=10,
)
