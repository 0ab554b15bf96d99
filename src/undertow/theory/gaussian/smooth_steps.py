"""Pair averages of functions made of a smoothed step: gelu in closed form, the logistic family.

Gelu is z F(z / s) with s = 1 and F the normal distribution function. The logistic function is a
mixture of F(z / s) over s, so that sigmoid, tanh, silu and softplus are averages of closed forms
over the s of u and that of v: 64 evaluations a pair, whatever the variances.

Andrews, Mallows: Scale mixtures of normal distributions. J. R. Stat. Soc. B 36 (1974),
doi:10.1111/j.2517-6161.1974.tb00989.x. Stefanski: A normal scale mixture representation of the
logistic distribution. Stat. Probab. Lett. 11 (1991), doi:10.1016/0167-7152(91)90181-P.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Pair = tuple[Array, Array]

NODES = 8  # leave an error of 1e-9; 12 leave nothing that float64 shows
AT_ONCE = 4_096  # pairs


class _Side(NamedTuple):
    """One of a pair, z of variance q, and a normal noise of scale s that is added to it.

    `share` of the noise in the variance of the two, `kept` the root of what is left for z, `root`
    the standard deviation of the two.
    """

    share: Array
    kept: Array
    root: Array


class _Smoothed(NamedTuple):
    """What steps smoothed by normal noises share.

    `root` sqrt(q1 q2), `noisy` the same of the noisy ones, `plain` their correlation at c = 1,
    `lack` sqrt(1 - rho^2) for their correlation rho = c `plain`, `shares` the noises' shares of the
    two variances, added up, `excess` what the chance that both exceed 0 lies above 1/4.
    """

    root: Array
    noisy: Array
    plain: Array
    lack: Array
    shares: Array
    excess: Array


Formula = Callable[[_Smoothed, Array], Pair]


def gelu_kernel(q1: Array, q2: Array, c: Array) -> Pair:
    """Return E phi(u) phi(v) and E phi'(u) phi'(v) of gelu.

    >>> value, slope = gelu_kernel(np.array(1.0), np.array(1.0), np.array(1.0))
    >>> round(float(value), 6), round(float(slope), 6)
    (0.425221, 0.455851)

    Notes
    -----
    Tsuchida et al.: Avoiding kernel fixed points: computing with ELU and GELU infinite networks.
    AAAI (2021), doi:10.48550/arXiv.2002.08517. See `_gate`.
    """
    return _gate(_smooth(_side(q1, 1.0), _side(q2, 1.0), np.sqrt(q1) * np.sqrt(q2), c), c)


def sigmoid_kernel(q1: Array, q2: Array, c: Array) -> Pair:
    """Return the kernels of the logistic function.

    >>> value, slope = sigmoid_kernel(np.array(1.0), np.array(1.0), np.array(0.5))
    >>> round(float(value), 8)
    0.27142833
    """
    value, slope = centred_sigmoid_kernel(q1, q2, c)
    return 0.25 + value, slope


def centred_sigmoid_kernel(q1: Array, q2: Array, c: Array) -> Pair:
    """Return the kernels of the logistic function less 1/2, relatively exact at small variances."""
    return _mix_scales(_step, q1, q2, c)


def tanh_kernel(q1: Array, q2: Array, c: Array) -> Pair:
    """Return the kernels of tanh z = 2 sigmoid(2 z) - 1.

    >>> value, slope = tanh_kernel(np.array(1.0), np.array(1.0), np.array(1.0))
    >>> round(float(value), 7), round(float(slope), 7)
    (0.3942945, 0.4644029)
    """
    value, slope = _mix_scales(_step, 4.0 * q1, 4.0 * q2, c)
    return 4.0 * value, 16.0 * slope


def silu_kernel(q1: Array, q2: Array, c: Array) -> Pair:
    """Return the kernels of z sigmoid(z)."""
    return _mix_scales(_gate, q1, q2, c)


def softplus_kernel(q1: Array, q2: Array, c: Array) -> Pair:
    """Return the kernels of ln(1 + e^z): ReLU, smoothed by the logistic distribution."""
    return _mix_scales(_ramp, q1, q2, c)


def _mix_scales(formula: Formula, q1: Array, q2: Array, c: Array) -> Pair:
    """Average a formula over the scales of both noises, of so many pairs as the cache holds."""
    given = np.stack(np.broadcast_arrays(q1, q2, c)).reshape(3, -1)
    parts = [
        _average(formula, *given[:, start : start + AT_ONCE])
        for start in range(0, given.shape[1], AT_ONCE)
    ]
    value, slope = np.concatenate(parts, axis=1)
    return value.reshape(np.shape(c)), slope.reshape(np.shape(c))


def _average(formula: Formula, q1: Array, q2: Array, c: Array) -> Array:
    found, root = np.zeros((2, c.size)), np.sqrt(q1) * np.sqrt(q2)
    scales, weights = logistic_scales(NODES)
    others = [_side(q2, scale) for scale in scales]
    for scale, first in zip(scales, weights, strict=True):
        one = _side(q1, scale)
        for other, second in zip(others, weights, strict=True):
            value, slope = formula(_smooth(one, other, root, c), c)
            found[0] += first * second * value
            found[1] += first * second * slope
    return found


def _side(q: Array, scale: float) -> _Side:
    both = q + scale**2
    return _Side(scale**2 / both, np.sqrt(q / both), np.sqrt(both))


def _smooth(one: _Side, other: _Side, root: Array, c: Array) -> _Smoothed:
    plain, shares = one.kept * other.kept, one.share + other.share
    # 1 - rho^2 is written as a sum: as a difference it would have no digits at c = 1, q large.
    lack = np.sqrt((1.0 - c) * (1.0 + c) + c**2 * (shares - one.share * other.share))
    excess = np.arctan2(c * plain, lack) / (2.0 * math.pi)
    return _Smoothed(root, one.root * other.root, plain, lack, shares, excess)


def _step(at: _Smoothed, c: Array) -> Pair:
    """F(z / s) - 1/2; F(z / s) is the chance that z and a noise of scale s exceed 0."""
    return at.excess, 1.0 / (2.0 * math.pi * at.noisy * at.lack)


def _ramp(at: _Smoothed, c: Array) -> Pair:
    """The integral of F(z / s): ReLU of z and the noise, averaged over the noise."""
    both = 0.25 + at.excess
    return at.root * c * both + at.noisy * at.lack / (2.0 * math.pi), both


def _gate(at: _Smoothed, c: Array) -> Pair:
    """Gate z by F(z / s): the value by Stein's lemma, the slope as its derivative by C (Price).

    With C = c sqrt(q1 q2), P the chance that both exceed 0, r = 1 / (2 pi sqrt(det)), det that of
    the noisy pair's covariance, and k = `shares`: E phi phi = C P + r (q1 q2 (1 - c^2) + C^2 k) and
    E phi' phi' = P + C r + C r (q1 q2 (1 - c^2) + C^2 k) / det + 2 C r (k - 1).
    """
    both = 0.25 + at.excess
    mixed = (1.0 - c) * (1.0 + c) + c**2 * at.shares
    density = at.plain / (2.0 * math.pi * at.lack)  # sqrt(q1 q2) r
    slope = (at.plain / at.lack) ** 2 * mixed + 2.0 * at.shares - 1.0
    return at.root * (c * both + density * mixed), both + c * density * slope


@lru_cache(maxsize=2)
def logistic_scales(count: int) -> Pair:
    """Scales s and weights: a mixture of N(0, s^2) that is the logistic distribution.

    s is twice a variable of Kolmogorov's distribution; a Gauss rule in ln s, made from many nodes
    by Stieltjes' procedure. Golub, Welsch: Calculation of Gauss quadrature rules. Math. Comput. 23
    (1969), doi:10.1090/S0025-5718-69-99647-1.
    """
    x = np.exp(np.arange(math.log(0.1), math.log(6.0), 0.02))
    k = np.arange(1.0, 40.0)[:, None]
    odd = (math.pi * (2.0 * k - 1.0)) ** 2
    # Two series of one density; each converges at once where the other does not.
    large = 8.0 * np.sum((-1.0) ** (k - 1.0) * k**2 * x * np.exp(-2.0 * k**2 * x**2), axis=0)
    parts = np.exp(-odd / (8.0 * x**2)) * (odd / (4.0 * x**4) - 1.0 / x**2)
    small = math.sqrt(2.0 * math.pi) * np.sum(parts, axis=0)
    mass = np.maximum(np.where(x > 1.0, large, small), 0.0) * x
    mass /= np.sum(mass)
    u = np.log(2.0 * x)
    before, here, beta = np.zeros_like(u), np.ones_like(u), 0.0
    middle, beside = np.empty(count), np.empty(count)
    for place in range(count):
        middle[place] = np.sum(mass * u * here**2)
        following = (u - middle[place]) * here - beta * before
        beside[place] = beta = math.sqrt(np.sum(mass * following**2))
        before, here = here, following / beta
    places, vectors = np.linalg.eigh(
        np.diag(middle) + np.diag(beside[:-1], 1) + np.diag(beside[:-1], -1)
    )
    return np.exp(places), vectors[0] ** 2
