"""Pair averages by a two-dimensional quadrature that is split along every kink.

The slow and certain way: some 10 000 evaluations of phi a pair. It also is the oracle that the
closed forms and the Mehler series are tested against.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from undertow.activations.activation import Activation
from undertow.theory.gaussian.moments import gauss_legendre

Array = NDArray[np.float64]

REACH = 8.5
PANELS = np.array([-REACH, -4.0, -2.0, 0.0, 2.0, 4.0, REACH])
NODES = 16
AT_ONCE = 400_000


def integrate(phi: Activation, q1: Array, q2: Array, c: Array) -> tuple[Array, Array]:
    """E phi(u) phi(v) and E phi'(u) phi'(v) for arrays [P] of variances and correlations.

    >>> from undertow.activations.activation import find
    >>> one = np.ones(1)
    >>> value, slope = integrate(find("relu"), one, one, 0.5 * one)
    >>> value.round(10), slope.round(10)
    (array([0.30449889]), array([0.33333333]))

    Notes
    -----
    With s the sign of c, A^2 = (1 + |c|) / 2 and B^2 = (1 - |c|) / 2, the pair is
    u = sqrt(q1) (A x + B y), v = s sqrt(q2) (A x - B y) for independent normal x, y. For a given y
    the integrand has its kinks at known x. Where two of them cross, as y goes on, the integral over
    x has a kink itself: there y is split.
    """
    value, slope = np.empty_like(c), np.empty_like(c)
    kinks = np.array(phi.kinks)
    bends = _bends(float(max(np.max(q1), np.max(q2))))
    met = kinks.size + bends.size
    size = (PANELS.size + kinks.size**2 + bends.size) * (PANELS.size + 2 * met) * NODES**2
    step = max(1, AT_ONCE // size)
    for start in range(0, c.size, step):
        part = slice(start, start + step)
        value[part], slope[part] = _integrate(phi, bends, q1[part], q2[part], c[part])
    return value, slope


def _bends(largest: float) -> Array:
    """For large variances, pre-activations about 0 where a saturating phi' is all but a step."""
    bends, edge = [], 1.0
    while largest > 25.0 and edge < REACH * np.sqrt(largest):
        bends += [-edge, edge]
        edge *= 4.0
    return np.array(bends)


def _integrate(
    phi: Activation, bends: Array, q1: Array, q2: Array, c: Array
) -> tuple[Array, Array]:
    root1, root2 = np.sqrt(np.maximum(q1, 1e-300)), np.sqrt(np.maximum(q2, 1e-300))
    sign = np.where(c < 0, -1.0, 1.0)
    along = np.sqrt(0.5 * (1.0 + np.abs(c)))
    across = np.sqrt(0.5 * np.maximum(1.0 - np.abs(c), 1e-30))
    kinks = np.array(phi.kinks)
    at_u, at_v = kinks / root1[:, None], sign[:, None] * kinks / root2[:, None]
    crossings = (at_u[:, :, None] - at_v[:, None, :]).reshape(c.size, -1)
    crossings = np.concatenate([crossings, bends / root1[:, None]], axis=-1)
    y, weight_y = _panels(0.5 * crossings / across[:, None])
    kinks = np.concatenate([kinks, bends])
    at_u, at_v = kinks / root1[:, None], sign[:, None] * kinks / root2[:, None]
    shift = (across[:, None] * y)[..., None]
    met = np.concatenate([at_u[:, None, :] - shift, at_v[:, None, :] + shift], axis=-1)
    x, weight_x = _panels(met / along[:, None, None])
    u = root1[:, None, None] * (along[:, None, None] * x + shift)
    v = (sign * root2)[:, None, None] * (along[:, None, None] * x - shift)

    def mean(f: Array) -> Array:
        return np.einsum("py,pyx,pyx->p", weight_y, weight_x, f)

    return mean(phi.value(u) * phi.value(v)), mean(phi.slope(u) * phi.slope(v))


def _panels(extra: Array) -> tuple[Array, Array]:
    """Nodes and normal weights [..., M] on the fixed panels, split at `extra` [..., E] too."""
    fixed = np.broadcast_to(PANELS, (*extra.shape[:-1], PANELS.size))
    edges = np.sort(np.concatenate([fixed, np.clip(extra, -REACH, REACH)], axis=-1), axis=-1)
    middle, half = 0.5 * (edges[..., 1:] + edges[..., :-1]), 0.5 * np.diff(edges, axis=-1)
    x, weight = gauss_legendre(NODES)
    shape = (*extra.shape[:-1], -1)
    x = (middle[..., None] + half[..., None] * x).reshape(shape)
    weight = (half[..., None] * weight).reshape(shape)
    return x, weight * np.exp(-0.5 * x**2) / np.sqrt(2.0 * np.pi)
