"""How far one network of finite width strays from the infinite-width prediction.

The predictions elsewhere are root mean squares over initialisations. The logarithm of one network's
gradient norm scatters about a mean that lies below: this module says by how much.

Hanin, Nica: Products of many large random matrices and gradients in deep neural networks. Commun.
Math. Phys. 376 (2020), doi:10.48550/arXiv.1812.05994.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from undertow.activations.activation import Activation, find
from undertow.errors import SpecError
from undertow.theory.arguments import as_whole_numbers, at_least_zero
from undertow.theory.finite_width.sampled_networks import sample_networks
from undertow.theory.gaussian.moments import Moments, gauss_legendre, moments

Array = NDArray[np.float64]

DEX = 2.0 * math.log(10.0)
FEW_UNITS = 1_000  # in all, of which networks are drawn in a tenth of a second
ENOUGH = 40  # draws of networks that are not dead
WITHIN_TWO = 0.9545  # of a normal distribution, within two standard deviations


class FiniteWidth(NamedTuple):
    """Scatter over initialisations, for one input; see `finite_width`.

    Fields
    ------
    delta_shift_dex, delta_sd_dex : array [L + 1]
        Mean less prediction, and standard deviation, of log10 |delta^l| for a given output error;
        the last entry, the output layer's, is 0.
    weight_shift_dex, weight_sd_dex : array [L + 1]
        The same of log10 |dE/dW^l|.
    ratio_shift_dex, ratio_sd_dex : array [L]
        The same of log10 |delta^l| / |delta^L|, L the last hidden layer; entry 0 is the total dex.
    elasticity : array [L]
        d ln V / d ln q at each layer.
    caution : str or None
        Set where an elasticity is above 1, for tails are long then, and where nearly all networks
        are dead.
    """

    delta_shift_dex: Array
    delta_sd_dex: Array
    weight_shift_dex: Array
    weight_sd_dex: Array
    ratio_shift_dex: Array
    ratio_sd_dex: Array
    elasticity: Array
    caution: str | None


def finite_width(
    activation: str | Activation,
    variance: ArrayLike,
    widths: Sequence[int] | int,
    weight_variance: ArrayLike,
    bias_variance: ArrayLike = 0.0,
    *,
    drawn: bool | None = None,
) -> FiniteWidth:
    """Mean shift and standard deviation of log gradient norms over initialisations.

    >>> sigmoid = finite_width("sigmoid", np.full(10, 0.265), 10, weight_variance=1.0)
    >>> round(float(sigmoid.ratio_sd_dex[0]), 2)
    0.32
    >>> gelu = finite_width("gelu", np.full(10, 1.0), 50, weight_variance=2.0)
    >>> gelu.caution
    'elasticity 1.14 above 1: fluctuations grow with depth; the band is wide, and not normal'

    Parameters
    ----------
    activation : str or Activation
    variance : array [L]
        Pre-activation variance q_l of each hidden layer, as `maps.variance_profile` gives it.
    widths : int, or sequence of L int
        Units n_l of each hidden layer.
    weight_variance, bias_variance : float, or array [L]
        sw2 and sb2 that lead OUT of each hidden layer (into the next one).
    drawn : bool, optional
        Draw networks (`wandering`) instead of going by the first order in 1 / n. Left out: where an
        elasticity is above 1 and the first order fails, and where all layers have few units, but
        not of linear, ReLU and leaky ReLU.

    Returns
    -------
    FiniteWidth

    Notes
    -----
    To first order in 1 / n, with s_l the fluctuation of ln q_l (s_1 = 0 for a given input) and
    eps_l, eta_l those of the layer's own sums over units,
    ln |delta^l|^2 gains eps_l + h_l s_l and s_(l+1) = a_l s_l + r_l eta_l, where
    a = d ln V / d ln q, h = d ln E phi'^2 / d ln q, r = sw2 E phi^2 / V and
    Var eps = (3 E phi'^4 / (E phi'^2)^2 - 1) / n, Var eta = (E phi^4 / (E phi^2)^2 - 1) / n,
    Cov = (E phi^2 phi'^2 / (E phi^2 E phi'^2) - 1) / n. A log-normal of variance v and mean 1 has
    its mean log at -v / 2. For linear, ReLU and leaky ReLU eps and eta are those of
    `log_gain`, exact in 1 / n. Weights count as Gaussian; uniform ones scatter a little less
    in layers of ten units. For a batch the scatter is smaller. Of drawn networks the sd is half of
    what 95.45 of 100 keep within: of a normal distribution, the same.
    """
    q = at_least_zero("variance", variance)
    if q.ndim != 1 or not q.size:
        raise SpecError("variance: must be [L], the pre-activation variance of each hidden layer")
    depth = q.size
    n = np.broadcast_to(as_whole_numbers("widths", widths), (depth,)).astype(np.float64)
    sw2 = np.broadcast_to(at_least_zero("weight_variance", weight_variance), (depth,))
    sb2 = np.broadcast_to(at_least_zero("bias_variance", bias_variance), (depth,))
    phi = find(activation)
    at = moments(phi, q)
    squares = np.maximum(at.square, 1e-300)
    signal = np.divide(sw2 * squares, sw2 * squares + sb2, out=np.ones(depth), where=sw2 > 0)
    power = q * at.square_rate / squares

    slope = two_slopes(phi)
    noise, means = _noise(at, squares, n, slope)
    delta, forward = _owed(at.slope_elasticity, signal, power)
    elasticity = signal * power
    caution = _caution(elasticity)
    kinds = delta, delta + forward, delta[:, :depth] - delta[:, depth - 1 : depth]
    if drawn is None:
        drawn = caution is not None or (slope is None and n.sum() <= FEW_UNITS)
    scatter = [_shift_and_sd(kind, noise, means, slope is not None) for kind in kinds]
    if drawn:
        draws = sample_networks(phi, at, q, n, sw2, sb2)
        if len(draws[0]) >= ENOUGH:
            scatter = _draw(*draws)
        else:
            caution = "nearly all such networks are dead: the scatter is of first order"
    (shift, sd), (weight_shift, weight_sd), (ratio_shift, ratio_sd) = scatter
    return FiniteWidth(
        shift, sd, weight_shift, weight_sd, ratio_shift, ratio_sd, elasticity, caution
    )


def _noise(at: Moments, squares: Array, n: Array, slope: float | None) -> tuple[Array, Array]:
    """Variances and covariance of eps and eta of each layer, [3, L], and their means, [2, L]."""
    noise = np.empty((3, len(n)))
    noise[0] = (3.0 * at.slope_fourth / np.maximum(at.slope_square, 1e-300) ** 2 - 1.0) / n
    noise[1] = (at.fourth / squares / squares - 1.0) / n
    noise[2] = (at.square_slope_square / np.maximum(squares * at.slope_square, 1e-300) - 1.0) / n
    means = -0.5 * noise[:2]
    if slope is not None:
        exact = np.array([log_gain(slope, int(width)) for width in n]).T
        means, noise[:2] = np.stack([exact[0], exact[0]]), exact[1]
    return noise, means


def _owed(slope_elasticity: Array, signal: Array, power: Array) -> tuple[Array, Array]:
    """Return what ln |delta^l|^2 and ln |x^l|^2 owe to every eps_j and eta_j: [2, L + 1, L] each.

    Row l is layer l's; the first of the two is of eps, the second of eta.
    """
    depth = len(signal)
    delta, forward = np.zeros((2, depth + 1, depth)), np.zeros((2, depth + 1, depth))
    spread = np.zeros(depth)
    gains = np.zeros((depth, depth))
    for layer in range(depth):
        forward[1, layer + 1] = power[layer] * spread
        forward[1, layer + 1, layer] += 1.0
        gains[layer] = slope_elasticity[layer] * spread
        spread = signal[layer] * forward[1, layer + 1]
    for layer in reversed(range(depth)):
        delta[0, layer] = delta[0, layer + 1]
        delta[0, layer, layer] += 1.0
        delta[1, layer] = delta[1, layer + 1] + gains[layer]
    return delta, forward


def _draw(delta: Array, activations: Array) -> list[tuple[Array, Array]]:
    """Shift and half width of delta, weight and ratio, from draws of networks."""
    delta, read = np.pad(delta, ((0, 0), (0, 1))), np.pad(activations, ((0, 0), (1, 0)))
    ratio = delta[:, :-1] - delta[:, -2:-1]
    return [_middle_and_reach(each) for each in (delta, delta + read, ratio)]


def _middle_and_reach(draws: Array) -> tuple[Array, Array]:
    middle = draws.mean(0)
    reach = np.quantile(np.abs(draws - middle), WITHIN_TWO, axis=0)
    return middle / DEX, 0.5 * reach / DEX


def log_gain(negative_slope: float, width: int) -> tuple[float, float]:
    """Mean and variance of ln of one layer's squared gain, relative to its mean, at width n.

    Of a leaky ReLU; ReLU at 0 (given that one unit at least is active) and linear at 1.

    >>> tuple(round(part, 5) for part in log_gain(0.0, 10))
    (-0.30746, 0.86673)
    >>> tuple(round(part, 5) for part in log_gain(1.0, 10))
    (-0.10332, 0.22132)

    Notes
    -----
    The gain is S = sum of slope^2 g^2 over n units, g normal, each slope 1 or a by the toss of a
    coin. Its Laplace transform is M(t) = ((1 + 2 t)^(-1/2) + (1 + 2 a^2 t)^(-1/2))^n / 2^n, and
    M(t) = P(Y / S > t) for an exponential Y: so the mean and the variance of ln(Y / S) are
    integrals of M over ln t, and those of ln Y, -0.5772 and pi^2 / 6, are taken off. Linear:
    digamma(n / 2) + ln(2 / n) and trigamma(n / 2).
    """
    n, square = int(as_whole_numbers("width", width)), float(negative_slope) ** 2
    # Panels of width 1; above 0 the integrand falls as exp(-u n / 2), and from 1 / a^2 on at last.
    reach = 90.0 - math.log(max(square, 1e-30))
    node, weight = gauss_legendre(16)
    starts = np.arange(-45.0, reach)
    u = (starts[:, None] + 0.5 * (node + 1.0)).ravel()
    weight = np.tile(0.5 * weight, starts.size)
    t = 2.0 * np.exp(u) / (n * 0.5 * (1.0 + square))
    each = 0.5 / np.sqrt(1.0 + t) + 0.5 / np.sqrt(1.0 + square * t)
    dead = 0.5**n if square == 0 else 0.0
    beyond = (each**n - dead) / (1.0 - dead)
    share = weight * np.where(u > 0, beyond, beyond - 1.0)
    first, second = float(np.sum(share)), float(np.sum(2.0 * u * share))
    return -float(np.euler_gamma) - first, second - first**2 - math.pi**2 / 6.0


def two_slopes(activation: str | Activation) -> float | None:
    """Slope below 0 of an activation that is z above and a multiple of z below; else None.

    >>> two_slopes("relu"), two_slopes("linear"), two_slopes("elu")
    (0.0, 1.0, None)
    """
    phi = find(activation)
    z = np.array([-100.0, -2.0, -0.01, 0.01, 2.0, 100.0])
    below = float(phi.slope(z)[0])
    expected = np.where(z > 0, z, below * z)
    return below if np.allclose(phi.value(z), expected, rtol=1e-9, atol=0.0) else None


def _shift_and_sd(owed: Array, noise: Array, means: Array, exact: bool) -> tuple[Array, Array]:
    backward, forward = owed
    variance = (
        backward**2 @ noise[0] + forward**2 @ noise[1] + 2.0 * (backward * forward) @ noise[2]
    )
    variance = np.maximum(variance, 0.0)
    shift = backward @ means[0] + forward @ means[1] if exact else -0.5 * variance
    return shift / DEX, np.sqrt(variance) / DEX


def _caution(elasticity: Array) -> str | None:
    largest = float(np.max(elasticity))
    if largest <= 1.0 + 1e-6:
        return None
    return (
        f"elasticity {largest:.2f} above 1: fluctuations grow with depth; the band is wide, and "
        "not normal"
    )
