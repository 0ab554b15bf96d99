"""Gaussian averages of one unit's activation, by closed form or by split panel quadrature."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from undertow.activations.activation import Activation, find
from undertow.theory.arguments import at_least_zero
from undertow.theory.gaussian.known import moments_of

Array = NDArray[np.float64]

REACH = 10.0
NODES = 60


class Moments(NamedTuple):
    """Averages over z ~ N(0, q), each of the shape of q; see `moments`.

    >>> moments("relu", 2.0).square
    array(1.)
    """

    mean: Array
    square: Array
    fourth: Array
    slope_square: Array
    slope_fourth: Array
    square_slope_square: Array
    square_rate: Array
    slope_elasticity: Array

    @property
    def variance(self) -> Array:
        """Var phi = E phi^2 - (E phi)^2."""
        return self.square - self.mean**2


def moments(activation: str | Activation, variance: ArrayLike) -> Moments:
    """Average phi, phi' and their powers over a Gaussian pre-activation.

    >>> tanh = moments("tanh", [0.5, 1.0])
    >>> tanh.square.round(8)
    array([0.27367631, 0.39429449])
    >>> tanh.slope_square.round(8)
    array([0.59242579, 0.4644029 ])

    Parameters
    ----------
    activation : str or Activation
    variance : array of any shape
        q, the variance of the pre-activation z.

    Returns
    -------
    Moments
        `mean` E phi, `square` E phi^2, `fourth` E phi^4, `slope_square` E phi'^2,
        `slope_fourth` E phi'^4, `square_slope_square` E phi^2 phi'^2,
        `square_rate` d E phi^2 / dq, `slope_elasticity` d ln E phi'^2 / d ln q.

    Raises
    ------
    SpecError
        A variance that is negative or not finite; an unknown activation.

    Notes
    -----
    d E phi^2 / dq = E[phi phi' x] / sqrt q with z = sqrt(q) x, and
    d E f / d ln q = E[f (x^2 - 1)] / 2, both true across kinks and jumps.
    Quadrature is good to about 1e-13 of the largest term; a slope that jumps at a point missing
    from `kinks` costs ten of those digits.
    """
    phi = find(activation)
    q = at_least_zero("variance", variance)
    closed = moments_of(phi)
    known = closed(q) if closed else {}
    if len(known) < len(Moments._fields):
        known = _by_quadrature(phi, q) | known
    return Moments(**{name: np.asarray(value) for name, value in known.items()})


def gaussian_mean(
    function: Callable[[Array], Array], variance: ArrayLike, kinks: tuple[float, ...] = ()
) -> Array:
    """E f(z) over z ~ N(0, q) for any function f, of the shape of q.

    >>> gaussian_mean(np.abs, [1.0, 4.0], kinks=(0.0,)).round(8)
    array([0.79788456, 1.59576912])
    """
    q = at_least_zero("variance", variance)
    z, weight = nodes(q, kinks)
    return np.sum(weight * function(_scale(q, z)), axis=-1)


def nodes(variance: Array, kinks: tuple[float, ...] = ()) -> tuple[Array, Array]:
    """Nodes and weights for averages over a standard normal x, split where sqrt(q) x meets a kink.

    >>> x, weight = nodes(np.array(1.0))
    >>> x.shape, bool(abs(weight.sum() - 1.0) < 1e-14)
    ((600,), True)

    Parameters
    ----------
    variance : array [...]
        q; every entry gets its own row of nodes, since the kinks sit at kink / sqrt(q).
    kinks : tuple of float

    Returns
    -------
    x, weight : array [..., M]
        Gauss-Legendre, 60 nodes on each of ten panels of [-10, 10], and more panels at kinks.
        Above q = 9 panels of pre-activation width 1, 4, 16, ... are added about 0, where a
        saturating activation has become a step.
    """
    q = np.asarray(variance, dtype=np.float64)
    root = np.sqrt(np.maximum(q, 1e-300))[..., None]
    inner = list(kinks)
    edge = 1.0
    while np.any(root > 3.0) and edge < REACH * np.max(root):
        inner += [-edge, edge]
        edge *= 4.0
    fixed = np.linspace(-REACH, REACH, 11)
    split = np.clip(np.array(inner) / root, -REACH, REACH)
    fixed = np.broadcast_to(fixed, (*q.shape, fixed.size))
    edges = np.sort(np.concatenate([fixed, split], axis=-1), axis=-1)
    middle, half = 0.5 * (edges[..., 1:] + edges[..., :-1]), 0.5 * np.diff(edges, axis=-1)
    x, weight = gauss_legendre(NODES)
    x = (middle[..., None] + half[..., None] * x).reshape(*q.shape, -1)
    weight = (half[..., None] * weight).reshape(*q.shape, -1)
    return x, weight * np.exp(-0.5 * x**2) / math.sqrt(2.0 * math.pi)


@lru_cache(maxsize=4)
def gauss_legendre(count: int) -> tuple[Array, Array]:
    """Nodes and weights of Gauss and Legendre on [-1, 1]."""
    x, weight = np.polynomial.legendre.leggauss(count)
    return x, weight


def _scale(q: Array, x: Array) -> Array:
    # A variance of exactly 0 must still see both sides of a kink at 0.
    return np.sqrt(np.maximum(q, 1e-300))[..., None] * x


def _by_quadrature(phi: Activation, q: Array) -> dict[str, Array]:
    x, weight = nodes(q, phi.kinks)
    z = _scale(q, x)
    value, slope = phi.value(z), phi.slope(z)
    square, slope_square = value**2, slope**2

    def mean(f: Array) -> Array:
        return np.sum(weight * f, axis=-1)

    # At q = 0 the rate is a limit, 0 / 0 in floating point; 1e-10 is near enough and exact enough.
    floor = np.maximum(q, 1e-10)
    near = value * slope
    if np.any(q < floor):
        z_near = np.sqrt(floor)[..., None] * x
        near = phi.value(z_near) * phi.slope(z_near)
    rate = mean(near * x) / np.sqrt(floor)
    average = mean(slope_square)
    spread = 0.5 * mean(slope_square * (x**2 - 1.0))
    return {
        "mean": mean(value),
        "square": mean(square),
        "fourth": mean(square**2),
        "slope_square": average,
        "slope_fourth": mean(slope_square**2),
        "square_slope_square": mean(square * slope_square),
        "square_rate": rate,
        "slope_elasticity": np.divide(
            spread, average, out=np.zeros_like(average), where=average > 0
        ),
    }
