"""The error function."""

from __future__ import annotations

import math

import numpy as np

from undertow.activations.activation import BOTH, Activation, Array


def erf(z: Array) -> Array:
    """Return the error function; NumPy has none, and SciPy takes half a second to import.

    >>> erf(np.array([0.0, 1.0])).round(6)
    array([0.      , 0.842701])
    """
    z = np.asarray(z, dtype=np.float64)
    if z.size > 500_000:
        from scipy.special import erf as fast_erf

        return fast_erf(z)
    return np.fromiter(map(math.erf, z.ravel().tolist()), np.float64, z.size).reshape(z.shape)


ACTIVATION = Activation(
    "erf",
    erf,
    lambda z: 2.0 / math.sqrt(math.pi) * np.exp(-(z**2)),
    largest_slope=2.0 / math.sqrt(math.pi),
    flat=BOTH,
    may_die=False,
    torch=("erf",),
    jax=("erf",),
    in_networks=False,
    place=12,
)
