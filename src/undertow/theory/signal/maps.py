"""How variance and correlation travel from layer to layer, and where they settle.

Poole et al.: Exponential expressivity in deep neural networks through transient chaos. NeurIPS 29
(2016), doi:10.48550/arXiv.1606.05340. Schoenholz et al.: Deep information propagation. ICLR
(2017), doi:10.48550/arXiv.1611.01232.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from undertow.activations.activation import Activation, find
from undertow.errors import SpecError
from undertow.theory.arguments import as_between, as_whole_numbers, at_least_zero
from undertow.theory.gaussian.moments import moments

Array = NDArray[np.float64]

SMALLEST, LARGEST = 1e-10, 1e10


def variance_map(
    activation: str | Activation,
    variance: ArrayLike,
    weight_variance: ArrayLike,
    bias_variance: ArrayLike = 0.0,
) -> Array:
    """Pre-activation variance of the next layer: V(q) = sw2 E phi(sqrt(q) x)^2 + sb2.

    >>> variance_map("relu", [1.0, 4.0], weight_variance=2.0)
    array([1., 4.])

    Parameters
    ----------
    activation : str or Activation
    variance : array
        q, of any shape; the result has it too.
    weight_variance, bias_variance : float
        sw2 = fan_in Var W_ij, and sb2 = Var b.
    """
    sw2, sb2 = _variances(weight_variance, bias_variance)
    return sw2 * moments(activation, variance).square + sb2


def variance_slope(
    activation: str | Activation, variance: ArrayLike, weight_variance: ArrayLike
) -> Array:
    """V'(q) = sw2 E[phi phi' x] / sqrt q: below 1, a wrong variance is forgotten with depth.

    >>> variance_slope("selu", [0.5, 1.0], weight_variance=1.0).round(6)
    array([0.922087, 0.782648])
    """
    sw2, _ = _variances(weight_variance, 0.0)
    return sw2 * moments(activation, variance).square_rate


def gradient_gain(
    activation: str | Activation, variance: ArrayLike, weight_variance: ArrayLike
) -> Array:
    """The factor on the squared gradient norm at a layer of variance q: chi = sw2 E phi'^2.

    It is also the slope of the correlation map at correlation 1 (chi_1).

    >>> gradient_gain("tanh", [0.5, 1.0], weight_variance=1.0).round(8)
    array([0.59242579, 0.4644029 ])
    """
    sw2, _ = _variances(weight_variance, 0.0)
    return sw2 * moments(activation, variance).slope_square


def correlation_map(
    activation: str | Activation,
    correlation: ArrayLike,
    variance: float,
    weight_variance: float,
    bias_variance: float = 0.0,
) -> tuple[Array, Array]:
    """Correlation of two inputs one layer on, and the slope of that map.

    >>> image, slope = correlation_map("relu", [0.0, 1.0], variance=1.0, weight_variance=2.0)
    >>> image.round(6), slope
    (array([0.31831, 1.     ]), array([0.5, 1. ]))

    Parameters
    ----------
    correlation : array
        c in [-1, 1], of any shape.
    variance : float
        q, the same for both inputs: a fixed point of the variance map, for the map to be one.

    Returns
    -------
    image : array
        (sw2 E[phi(u) phi(v)] + sb2) / q for Gaussian u, v of variance q and correlation c.
    slope : array
        sw2 E[phi'(u) phi'(v)].
    """
    from undertow.theory.gaussian.kernels import pair_means

    sw2, sb2 = _variances(weight_variance, bias_variance)
    c = as_between("correlation", correlation, -1.0, 1.0)
    q = at_least_zero("variance", variance)
    if not q > 0:
        raise SpecError("variance = 0: two inputs of no variance have no correlation; type 1.0")
    value, slope = pair_means(activation, np.full(c.shape, q), np.full(c.shape, q), c)
    return (sw2 * value + sb2) / q, sw2 * slope


class FixedPoint(NamedTuple):
    """Where variance and correlation settle in a deep network; see `fixed_point`.

    >>> point = fixed_point("tanh", weight_variance=2.0, bias_variance=0.05)
    >>> round(point.variance, 5), round(point.correlation, 5)
    (0.72176, 0.74408)
    """

    variance: float
    variance_slope: float
    correlation: float
    gain: float
    correlation_slope: float

    @property
    def variance_depth(self) -> float:
        """xi_q = -1 / ln V'(q*): layers in which a wrong variance shrinks by e."""
        return _depth(-self.variance_slope)

    @property
    def correlation_depth(self) -> float:
        """xi_c = -1 / ln chi_c*: layers in which a wrong correlation shrinks by e."""
        return _depth(-self.correlation_slope)

    @property
    def gradient_depth(self) -> float:
        """xi_grad = 1 / |ln chi_1|: layers in which the SQUARED gradient norm changes by e."""
        return _depth(self.gain)

    @property
    def trainable_depth(self) -> float:
        """6 xi_c: a rule of thumb for how deep a plain network of these variances trains."""
        return 6.0 * self.correlation_depth


def fixed_point(
    activation: str | Activation,
    weight_variance: float,
    bias_variance: float = 0.0,
    start: float = 1.0,
) -> FixedPoint:
    """Return the fixed point that a deep network's variance is drawn to from `start`.

    >>> sigmoid = fixed_point("sigmoid", weight_variance=1.0)
    >>> round(sigmoid.variance, 6), round(sigmoid.gain, 7)
    (0.264687, 0.0557207)

    Parameters
    ----------
    activation : str or Activation
    weight_variance, bias_variance : float
        sw2 = fan_in Var W_ij, and sb2 = Var b.
    start : float
        Variance at the first layer, above 0.

    Returns
    -------
    FixedPoint
        `variance` q*: 0 where signals die out, inf where they grow without bound, `start` where
        every variance is a fixed point (ReLU at sw2 = 2). `variance_slope` V'(q*).
        `correlation` c*, the largest stable one: 1 iff the gain is 1 or less.
        `gain` chi_1 = sw2 E phi'^2 at q*. `correlation_slope` chi at c*.
        At q* = 0 and inf the slopes are those of variance 1e-10 and 1e10.

    Notes
    -----
    A fixed point at 0 or inf need not be reached at an exponential rate: tanh at sw2 = 1 has
    q_l ~ 1 / 2l.
    """
    sw2, sb2 = (float(part) for part in _variances(weight_variance, bias_variance))
    q = float(at_least_zero("start", start))
    if not q > 0:
        raise SpecError("start = 0: a signal of no variance goes nowhere; type  start=1.0")
    star = _settled_variance(find(activation), sw2, sb2, q)
    seen = min(max(star, SMALLEST), LARGEST)
    averages = moments(activation, seen)
    gain = sw2 * float(averages.slope_square)
    correlation, slope = 1.0, gain
    if gain > 1.0 + 1e-9:
        correlation, slope = _settled_correlation(activation, seen, sw2, sb2)
    return FixedPoint(star, sw2 * float(averages.square_rate), correlation, gain, slope)


def variance_profile(
    activation: str | Activation,
    depth: int,
    weight_variance: float,
    bias_variance: float = 0.0,
    start: float = 1.0,
) -> tuple[Array, Array]:
    """Pre-activation variance q_l and gain chi_l of every hidden layer, of a square network.

    The gain carries the squared gradient norm from layer l + 1 to layer l. Half the sum of
    log10 chi over layers 1 to L - 1 is the total dex from layer L to layer 1.

    >>> q, gain = variance_profile("tanh", depth=10, weight_variance=1.0)
    >>> round(float(0.5 * np.log10(gain[:-1]).sum()), 3)
    -0.551

    Parameters
    ----------
    depth : int
        L, hidden layers.
    start : float
        q_1: sw2 times the mean square of the inputs, plus sb2.

    Returns
    -------
    variance, gain : array [depth]
    """
    layers = int(as_whole_numbers("depth", depth))
    sw2, sb2 = _variances(weight_variance, bias_variance)
    variance = np.empty(layers)
    variance[0] = at_least_zero("start", start)
    for layer in range(1, layers):
        variance[layer] = variance_map(activation, variance[layer - 1], sw2, sb2)
    return variance, gradient_gain(activation, variance, sw2)


def _variances(weight: ArrayLike, bias: ArrayLike) -> tuple[Array, Array]:
    return at_least_zero("weight_variance", weight), at_least_zero("bias_variance", bias)


def _depth(rate: float) -> float:
    """1 / |ln rate|; a rate given as its negative forgets, and forgets never at 1 or above."""
    if rate == 0:
        return 0.0
    if rate <= -1.0 + 1e-12 or abs(rate - 1.0) < 1e-12:
        return math.inf
    return abs(1.0 / math.log(abs(rate)))


def _settled_variance(phi: Activation, sw2: float, sb2: float, start: float) -> float:
    def growth(q: Array) -> Array:
        return variance_map(phi, q, sw2, sb2) / q - 1.0

    here = float(growth(np.array(start)))
    if abs(here) < 1e-12:
        return start
    end = LARGEST if here > 0 else SMALLEST
    path = np.geomspace(start, end, 241)
    crossed = np.flatnonzero(growth(path) * here <= 0)
    if not crossed.size:
        return math.inf if here > 0 else 0.0
    low, high = path[crossed[0] - 1], path[crossed[0]]
    for _ in range(8):
        path = np.geomspace(low, high, 65)
        crossed = np.flatnonzero(growth(path) * here <= 0)
        first = max(int(crossed[0]), 1) if crossed.size else 64
        low, high = path[first - 1], path[first]
    return float(math.sqrt(low * high))


def _settled_correlation(
    activation: str | Activation, q: float, sw2: float, sb2: float
) -> tuple[float, float]:
    low, high = 0.0, 1.0
    for _ in range(6):
        grid = np.linspace(low, high, 33)[1:-1]
        image, _ = correlation_map(activation, grid, q, sw2, sb2)
        # The map is convex on [0, 1] and meets the diagonal once below 1.
        above = np.flatnonzero(image > grid)
        last = int(above[-1]) + 1 if above.size else 0
        step = (high - low) / 32
        low, high = low + last * step, low + (last + 1) * step
    c = 0.5 * (low + high) if low > 0 else 0.0
    _, slope = correlation_map(activation, np.array(c), q, sw2, sb2)
    return c, float(slope)
