"""Critical initialisation: the weight variance at which gradients neither vanish nor explode.

NumPy only: `undertow critical` answers before SciPy would have been imported.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from undertow.activations.activation import Activation, find
from undertow.errors import NoCriticalPoint
from undertow.theory.arguments import at_least_zero
from undertow.theory.gaussian.moments import moments

Array = NDArray[np.float64]

# Variances among which a critical point is sought, and the slack for a slope of exactly 1.
SMALLEST, LARGEST, POINTS = 1e-10, 1e6, 193
SLACK = 1e-7


class CriticalPoint(NamedTuple):
    """A weight and bias variance at which the squared gradient norm keeps its size with depth.

    Fields
    ------
    weight_variance : float
        fan_in times Var W_ij.
    bias_variance : float
        Var b.
    fixed_point : float or None
        q*, the variance that pre-activations settle at; None where every variance is one.
    stable : bool
        V'(q*) <= 1: pre-activations return to q* after a disturbance.
    """

    weight_variance: float
    bias_variance: float
    fixed_point: float | None
    stable: bool


def critical(activation: str | Activation, bias_variance: float = 0.0) -> CriticalPoint:
    """Return the critical weight variance of an activation at a given bias variance.

    >>> critical("relu")
    CriticalPoint(weight_variance=2.0, bias_variance=0.0, fixed_point=None, stable=True)
    >>> point = critical("tanh", bias_variance=0.05)
    >>> round(point.weight_variance, 6), round(point.fixed_point, 6)
    (1.760955, 0.570048)
    >>> critical("softplus")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    undertow.errors.NoCriticalPoint: softplus has no critical initialisation: ...

    Parameters
    ----------
    activation : str or Activation
    bias_variance : float
        Var b, 0 or more.

    Returns
    -------
    CriticalPoint
        A stable one where there is one, and then the one of smallest variance.

    Raises
    ------
    NoCriticalPoint
        None exists for a variance of pre-activations up to 1e6, with the reason.
    SpecError
        An unknown activation; a bias variance that is negative or not finite.

    Notes
    -----
    Critical means chi_1 = sw2 E phi'(z)^2 = 1 at a fixed point q* = sw2 E phi(z)^2 + sb2 of the
    variance, z ~ N(0, q*). Every q* > 0 therefore names one candidate,
    sw2 = 1 / E phi'^2 and sb2 = q* - sw2 E phi^2, valid where sb2 >= 0; the one with the bias
    variance asked for is found by bisection. With phi(0) = 0, q* = 0 is a candidate for sb2 = 0,
    and its stability is judged just above it, since no variance lies below.

    That is the edge of chaos of Poole et al. (2016), doi:10.48550/arXiv.1606.05340. Roberts, Yaida
    and Hanin, doi:10.1017/9781009023405, ask for V'(q*) = 1 too.
    """
    phi = find(activation)
    sb2 = float(at_least_zero("bias_variance", bias_variance))
    grid = np.geomspace(SMALLEST, LARGEST, POINTS)
    weight, bias = _line(phi, grid)
    if np.max(np.abs(bias) / grid) < 1e-9:
        return _scale_free(phi, float(np.mean(weight)), sb2)
    candidates = [_at(phi, q, sb2) for q in _crossings(phi, grid, bias - sb2, sb2)]
    if sb2 == 0 and float(np.abs(phi.value(np.zeros(1)))[0]) == 0:
        candidates.insert(0, _at_zero(phi))
    if not candidates:
        raise NoCriticalPoint(_reason(phi, float(np.max(bias)), sb2))
    return next((point for point in candidates if point.stable), candidates[0])


def critical_line(activation: str | Activation, fixed_points: Array) -> tuple[Array, Array]:
    """Weight and bias variance that make each q* a critical fixed point; bias < 0: there is none.

    >>> weight, bias = critical_line("tanh", np.array([0.1, 0.5, 1.0]))
    >>> weight.round(6), bias.round(6)
    (array([1.177569, 1.687975, 2.153303]), array([0.000832, 0.038041, 0.150965]))
    """
    return _line(find(activation), at_least_zero("fixed_points", fixed_points))


def _line(phi: Activation, q: Array) -> tuple[Array, Array]:
    averages = moments(phi, q)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = 1.0 / averages.slope_square
        bias = np.where(np.isfinite(weight), q - weight * averages.square, -np.inf)
    return weight, bias


def _crossings(phi: Activation, grid: Array, gap: Array, sb2: float) -> list[float]:
    """Zeros of sb2(q) - sb2, each narrowed 32-fold nine times."""
    # Differences of equal numbers leave noise of this size: no sign change there is real.
    sign = np.where(np.abs(gap) <= 1e-14 * grid, 0.0, np.sign(gap))
    roots = []
    for left in np.flatnonzero(sign[:-1] * sign[1:] < 0):
        low, high, before = grid[left], grid[left + 1], sign[left]
        for _ in range(9):
            inner = np.geomspace(low, high, 33)
            _, bias = _line(phi, inner)
            after = np.flatnonzero(np.sign(bias - sb2) != before)
            first = max(int(after[0]), 1) if after.size else 32
            low, high = inner[first - 1], inner[first]
        roots.append(float(np.sqrt(low * high)))
    return roots


def _at(phi: Activation, q: float, sb2: float) -> CriticalPoint:
    averages = moments(phi, q)
    weight = 1.0 / float(averages.slope_square)
    slope = weight * float(averages.square_rate)
    return CriticalPoint(weight, sb2, q, bool(slope <= 1.0 + SLACK))


def _at_zero(phi: Activation) -> CriticalPoint:
    weight = 1.0 / float(moments(phi, 0.0).slope_square)
    above = moments(phi, 1e-4)
    slope = float(above.square_rate / above.slope_square)
    return CriticalPoint(weight, 0.0, 0.0, bool(slope <= 1.0 + SLACK))


def _scale_free(phi: Activation, weight: float, sb2: float) -> CriticalPoint:
    if sb2 == 0:
        return CriticalPoint(round(weight, 12), 0.0, None, True)
    raise NoCriticalPoint(
        f"{phi.name} has no critical initialisation at bias variance {sb2:g}: at its critical "
        f"weight variance {weight:.6g} every layer adds the bias variance and nothing takes it "
        "away; type  bias_variance=0"
    )


def _reason(phi: Activation, largest: float, sb2: float) -> str:
    if largest < 0:
        return (
            f"{phi.name} has no critical initialisation: wherever the gradient would keep its "
            "size, the pre-activations could only keep theirs with a negative bias variance"
        )
    return (
        f"{phi.name} has no critical initialisation at bias variance {sb2:g}: the largest it "
        f"allows is {largest:.6g}"
    )
