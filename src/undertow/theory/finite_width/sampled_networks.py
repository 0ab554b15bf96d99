"""Scatter over initialisations where first order in 1 / n fails: exactly, by random draws.

Where the elasticity d ln V / d ln q is above 1, a deviation of q grows from layer to layer until
the activation is another one: GELU becomes linear, or dies; and on the way back what points along
the activations grows with it. What networks do with one input is then drawn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from undertow.activations.activation import Activation
from undertow.theory.gaussian.moments import Moments

Array = NDArray[np.float64]

DRAWS, FEWEST = 2_000, 100
NUMBERS = 10_000_000  # draws x units of all layers
TINY = 1e-300
DEAD = -500.0  # ln of what only a sum of zeros is less than


def sample_networks(
    phi: Activation,
    at: Moments,
    variance: Array,
    widths: Array,
    weight_variance: Array,
    bias_variance: Array,
) -> tuple[Array, Array]:
    """Draw ln |delta^l|^2 and ln |x^l|^2 of networks of finite width, less what theory expects.

    >>> from undertow.activations.activation import find
    >>> from undertow.theory.gaussian.moments import moments
    >>> q, gelu = np.ones(5), find("gelu")
    >>> delta, x = sample_networks(gelu, moments(gelu, q), q, 10 + 0 * q, 2 * q, 0 * q)
    >>> delta.shape, bool(delta[:, 0].std() > x[:, 0].std())
    ((2000, 5), True)

    Parameters
    ----------
    at : Moments
        Of phi at `variance`, the q [L] that infinitely wide networks have.
    widths : array [L]
    weight_variance, bias_variance : array [L]
        sw2 and sb2 that lead out of each hidden layer.

    Returns
    -------
    delta, x : array [draws, L]
        For one input and a given output error. Networks that are dead at some layer are left out.

    Notes
    -----
    Exact for Gaussian weights, without a matrix: given what a layer made of its input, u = W x,
    its weights are u x^T / |x|^2 + W' P, with W' drawn anew and P taking off the direction of x;
    so W^T delta = x (u . delta) / |x|^2 + P W'^T delta, and W'^T delta is normal with variance
    sw2 / n |delta|^2. The generator's seed is fixed: a prediction is the same each time.
    """
    depth = len(variance)
    draws = int(np.clip(NUMBERS // int(np.sum(widths)), FEWEST, DRAWS))
    rng = np.random.default_rng(0)
    made, zs, xs = [], [], []
    for layer, width in enumerate(widths):
        # The inputs are given: of the first layer's z, what the bias adds is counted in.
        spread = weight_variance[layer - 1] * _mean_square(xs[-1]) if layer else variance[0]
        bias = bias_variance[layer - 1] if layer else 0.0
        made.append(np.sqrt(spread) * rng.standard_normal((draws, int(width))))
        zs.append(made[-1] + np.sqrt(bias) * rng.standard_normal((draws, int(width))))
        xs.append(phi.value(zs[-1]))
    found = np.empty((2, draws, depth))
    arriving = rng.standard_normal(xs[-1].shape)  # a mean square of 1 is what theory expects
    for layer in reversed(range(depth)):
        delta = phi.slope(zs[layer]) * arriving
        found[0, :, layer] = _less(_mean_square(delta), at.slope_square[layer])
        found[1, :, layer] = _less(_mean_square(xs[layer]), at.square[layer])
        if layer:
            x, u = xs[layer - 1], made[layer]
            spread = weight_variance[layer - 1] / x.shape[1] * delta.shape[1]
            arriving = rng.standard_normal(x.shape) * np.sqrt(spread * _mean_square(delta))
            along = _sum(u * delta) - _sum(x * arriving)
            arriving += x * (along / np.maximum(_sum(x**2), TINY))
            arriving /= np.sqrt(max(spread * float(at.slope_square[layer]), TINY))
    alive = (found > DEAD).all((0, 2))
    return found[0, alive], found[1, alive]


def _sum(values: Array) -> Array:
    return np.sum(values, axis=1, keepdims=True)


def _mean_square(values: Array) -> Array:
    return np.mean(values**2, axis=1, keepdims=True)


def _less(found: Array, expected: Array) -> Array:
    return np.log(np.maximum(found[:, 0], TINY)) - np.log(np.maximum(expected, TINY))
