"""Gaussian averages that have a closed form: two-slope functions, erf, hard tanh.

Two shapes. `*_moments(q)` returns some fields of `moments.Moments` by name for variances q of any
shape; what it leaves out is found by quadrature. `*_kernel(q1, q2, c)` returns
(E phi(u) phi(v), E phi'(u) phi'(v)) for Gaussian u, v of variance q1, q2 and correlation c.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def two_slopes_moments(q: Array, a: float) -> dict[str, Any]:
    """Return the moments of z above 0 and a z below: ReLU at a = 0, linear at a = 1.

    >>> float(two_slopes_moments(np.array(1.0), 0.0)["square"])
    0.5
    """
    second, fourth = 0.5 * (1.0 + a**2), 0.5 * (1.0 + a**4)
    ones = np.ones_like(q)
    return {
        "mean": (1.0 - a) * np.sqrt(q / (2.0 * math.pi)),
        "square": second * q,
        "fourth": 3.0 * fourth * q**2,
        "slope_square": second * ones,
        "slope_fourth": fourth * ones,
        "square_slope_square": fourth * q,
        "square_rate": second * ones,
        "slope_elasticity": 0.0 * ones,
    }


def two_slopes_kernel(q1: Array, q2: Array, c: Array, a: float) -> tuple[Array, Array]:
    """Return the arc-cosine kernels of order 1 and 0, for z above 0 and a z below.

    >>> value, slope = two_slopes_kernel(1.0, 1.0, np.array(1.0), 0.0)
    >>> float(value), float(slope)
    (0.5, 0.5)

    Notes
    -----
    With theta = acos c, ReLU has E phi phi = sqrt(q1 q2) (sin theta + (pi - theta) c) / 2 pi and
    E phi' phi' = (pi - theta) / 2 pi; a slope a below mixes in the linear function.
    Cho, Saul: Kernel methods for deep learning. NeurIPS 22 (2009).
    """
    angle = math.pi - np.arccos(c)
    scale = np.sqrt(q1 * q2)
    relu = (np.sqrt((1.0 - c) * (1.0 + c)) + angle * c) / (2.0 * math.pi)
    value = scale * (a * c + (1.0 - a) ** 2 * relu)
    slope = a + (1.0 - a) ** 2 * angle / (2.0 * math.pi)
    return value, slope


def erf_moments(q: Array) -> dict[str, Any]:
    """Return the moments of erf, but for the fourth, which is left to quadrature.

    >>> round(float(erf_moments(np.array(1.0))["square"]), 8)
    0.46455905
    """
    root = np.sqrt(1.0 + 4.0 * q)
    narrowed = q / (1.0 + 4.0 * q)
    return {
        "mean": np.zeros_like(q),
        "square": _arcsine(q, q, 1.0),
        "slope_square": (4.0 / math.pi) / root,
        "slope_fourth": (16.0 / math.pi**2) / np.sqrt(1.0 + 8.0 * q),
        "square_slope_square": (4.0 / math.pi) / root * _arcsine(narrowed, narrowed, 1.0),
        "square_rate": (4.0 / math.pi) / ((1.0 + 2.0 * q) * root),
        "slope_elasticity": -2.0 * narrowed,
    }


def erf_kernel(q1: Array, q2: Array, c: Array) -> tuple[Array, Array]:
    """Return the arcsine kernel and the kernel of erf's slope.

    >>> value, _ = erf_kernel(np.array(1.0), np.array(1.0), np.array(1.0))
    >>> round(float(value), 8)
    0.46455905

    Notes
    -----
    E phi phi = (2 / pi) asin(2 c s / sqrt((1 + 2 q1)(1 + 2 q2))), s = sqrt(q1 q2);
    E phi' phi' = (4 / pi) / sqrt((1 + 2 q1)(1 + 2 q2) - 4 c^2 q1 q2).
    Williams: Computing with infinite networks. NeurIPS 9 (1996).
    """
    volume = (1.0 + 2.0 * q1) * (1.0 + 2.0 * q2) - 4.0 * c**2 * q1 * q2
    return _arcsine(q1, q2, c), (4.0 / math.pi) / np.sqrt(volume)


def _arcsine(q1: Array, q2: Array, c: Array | float) -> Array:
    sine = 2.0 * c * np.sqrt(q1 / (1.0 + 2.0 * q1)) * np.sqrt(q2 / (1.0 + 2.0 * q2))
    return (2.0 / math.pi) * np.arcsin(sine)


def hard_tanh_kernel(q1: Array, q2: Array, c: Array) -> tuple[Array, Array]:
    """Return the kernels of z clipped to [-1, 1], from the bivariate normal distribution.

    >>> value, slope = hard_tanh_kernel(np.array(1.0), np.array(1.0), np.array(0.0))
    >>> round(float(slope), 6)
    0.466065

    Notes
    -----
    In units of the standard deviations the clips sit at h and k, and z clipped is
    (z + h)+ - (z - h)+ - h. With L = P(X > a, Y > b), s = sqrt(1 - c^2), ta = (b - c a) / s,
    tb = (a - c b) / s, f the normal density and F its upper tail,
    E (X - a)+ (Y - b)+ = (c + a b) L + s f(a) f(ta) - b f(a) F(ta) - a f(b) F(tb);
    L comes from Owen's T function (doi:10.1214/aoms/1177728074).
    """
    # A clip beyond nine standard deviations is never met, and would only cost digits.
    h = np.minimum(1.0 / np.sqrt(np.maximum(q1, 1e-300)), 9.0)
    k = np.minimum(1.0 / np.sqrt(np.maximum(q2, 1e-300)), 9.0)
    c = np.clip(c, -1.0 + 1e-14, 1.0 - 1e-14)
    near, far = _both_exceed(h, k, c), _both_exceed(-h, -k, c)
    mixed, other = _both_exceed(-h, k, c), _both_exceed(h, -k, c)
    value = near[0] + far[0] - mixed[0] - other[0] - h * k
    slope = near[1] + far[1] - mixed[1] - other[1]
    return np.sqrt(q1 * q2) * value, slope


def _both_exceed(a: Array, b: Array, c: Array) -> tuple[Array, Array]:
    """Return E (X - a)+ (Y - b)+ and P(X > a, Y > b); neither a nor b may be 0."""
    from scipy.special import ndtr, owens_t

    s = np.sqrt((1.0 - c) * (1.0 + c))
    ta, tb = (b - c * a) / s, (a - c * b) / s
    opposite = np.where(a * b > 0, 0.0, 0.5)
    chance = 0.5 * (ndtr(-a) + ndtr(-b)) - owens_t(a, ta / a) - owens_t(b, tb / b) - opposite
    tail_a, tail_b = _density(a) * ndtr(-ta), _density(b) * ndtr(-tb)
    excess = (c + a * b) * chance + s * _density(a) * _density(ta) - b * tail_a - a * tail_b
    return excess, chance


def _density(z: Array) -> Array:
    return np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
