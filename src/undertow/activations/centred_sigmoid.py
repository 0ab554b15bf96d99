"""A sigmoid about 0."""

from __future__ import annotations

import numpy as np

from undertow.activations.activation import BOTH, Activation
from undertow.activations.sigmoid import sigmoid_slope

# A sigmoid whose next layer's bias is -1/2 sum_j W_ij: exactly this function, bias-free.
ACTIVATION = Activation(
    "centred_sigmoid",
    lambda z: 0.5 * np.tanh(0.5 * z),
    sigmoid_slope,
    largest_slope=0.25,
    flat=BOTH,
    may_die=False,
    in_networks=False,
    place=15,
)
