"""Gains per layer or block under batch norm, layer norm and skips; isometry; tailored slopes.

Every gain is of the squared gradient norm, from a layer's output to its input.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from undertow.activations.activation import Activation
from undertow.errors import SpecError
from undertow.theory.arguments import as_between, as_whole_numbers, at_least_zero
from undertow.theory.gaussian.closed_forms import two_slopes_kernel
from undertow.theory.gaussian.moments import moments

Array = NDArray[np.float64]


def batch_norm_gain(activation: str | Activation, batch_size: int | None = None) -> float:
    """Gain of a layer whose pre-activations are batch-normalised, no skip: never below 1.

    >>> round(batch_norm_gain("relu"), 6)
    1.466942
    >>> round(batch_norm_gain("linear", batch_size=8), 6)
    1.2

    Parameters
    ----------
    activation : str or Activation
    batch_size : int, optional
        B, 4 or more; left out, the batch is infinite.

    Notes
    -----
    E phi'^2 / Var phi at variance 1, 1 or more by the Gaussian Poincare inequality, with equality
    for linear alone: no initialisation or activation stops a deep batch-normalised network without
    skips from exploding. A batch of B multiplies it by (B - 2) / (B - 3): exact for linear, within
    2.5 % from B = 8 for the others.
    Yang et al.: A mean field theory of batch normalization. ICLR (2019),
    doi:10.48550/arXiv.1902.08129.
    """
    at = moments(activation, 1.0)
    gain = float(at.slope_square / at.variance)
    if batch_size is None:
        return gain
    size = int(as_whole_numbers("batch_size", batch_size, smallest=4))
    return gain * (size - 2) / (size - 3)


def layer_norm_gain(activation: str | Activation) -> float:
    """Gain of a layer whose pre-activations are layer-normalised, no skip.

    >>> round(layer_norm_gain("relu"), 6), round(layer_norm_gain("sigmoid"), 5)
    (1.0, 0.15283)

    Notes
    -----
    E phi'^2 / E phi^2 at variance 1: the mean of phi, the same for every input, is not removed, so
    that sigmoid vanishes under layer norm and not under batch norm.
    """
    at = moments(activation, 1.0)
    return float(at.slope_square / at.square)


def residual_gain(branch_gain: ArrayLike, scale: ArrayLike = 1.0) -> Array:
    """Gain of a block y = x + scale F(x): 1 + scale^2 g, g the gain of the branch F.

    >>> residual_gain(1.0, scale=[1.0, 0.5, 0.0])
    array([2.  , 1.25, 1.  ])

    Notes
    -----
    F's gradient counts as orthogonal to the skip's, which it is in the mean over its weights. A
    scale of 0 at the start is ReZero (doi:10.48550/arXiv.2003.04887) and SkipInit
    (doi:10.48550/arXiv.2002.10444): exactly 1 for any depth. 1 / sqrt(blocks) keeps the whole
    below e.
    """
    return 1.0 + np.asarray(scale, dtype=np.float64) ** 2 * at_least_zero(
        "branch_gain", branch_gain
    )


def batch_norm_residual_profile(
    activation: str | Activation, blocks: int, start: float = 1.0, weight_variance: float = 1.0
) -> Array:
    """Gain from the output of `blocks` batch-normalised blocks with skips to each block's input.

    >>> batch_norm_residual_profile("relu", blocks=2).round(3)
    array([2.059, 1.373, 1.   ])

    Parameters
    ----------
    blocks : int
        L, each y = x + W phi(BN(x)).
    start : float
        Variance over the batch of the stream that enters.
    weight_variance : float
        sw2 = fan_in Var W_ij of the branch.

    Returns
    -------
    array [blocks + 1]
        |g_l|^2 / |g_L|^2 for l = 0 ... L.

    Notes
    -----
    The stream's variance over the batch is v_l = start + k l with k = sw2 Var phi, and the block it
    enters has gain 1 + sw2 E phi'^2 / v_l: the product goes as a power of depth,
    ((start + k L) / (start + k l))^p with p = E phi'^2 / Var phi, and not exponentially.
    """
    at = moments(activation, 1.0)
    layers = np.arange(int(as_whole_numbers("blocks", blocks)))
    sw2 = float(at_least_zero("weight_variance", weight_variance))
    stream = float(at_least_zero("start", start)) + sw2 * float(at.variance) * layers
    if not stream[0] > 0:
        raise SpecError("start = 0: a stream without variance cannot be normalised; type 1.0")
    gains = 1.0 + sw2 * float(at.slope_square) / stream
    return np.append(np.cumprod(gains[::-1])[::-1], 1.0)


def pre_norm_profile(blocks: int, branch_gain: float = 1.0) -> Array:
    """Gain from the output of `blocks` pre-layer-norm blocks to the input of each.

    >>> pre_norm_profile(2)
    array([3. , 1.5, 1. ])

    Notes
    -----
    The stream's second moment is 1 + l where every branch adds 1, so block l has gain
    1 + g / (1 + l): for g = 1 the product from block l on is (L + 1) / (l + 1).
    Xiong et al.: On layer normalization in the transformer architecture. ICML (2020),
    doi:10.48550/arXiv.2002.04745.
    """
    layers = np.arange(int(as_whole_numbers("blocks", blocks)))
    gains = residual_gain(branch_gain, 1.0 / np.sqrt(1.0 + layers))
    return np.append(np.cumprod(gains[::-1])[::-1], 1.0)


def post_norm_gain(branch_gain: float, branch_variance: float) -> float:
    """Gain of a post-layer-norm block LN(x + F(x)): (1 + g) / (1 + v), v the branch's variance.

    >>> post_norm_gain(1.0, 1.0)
    1.0
    """
    gain = at_least_zero("branch_gain", branch_gain)
    return float((1.0 + gain) / (1.0 + at_least_zero("branch_variance", branch_variance)))


def isometry_variance(
    activation: str | Activation, variance: float, depth: int, orthogonal: bool = False
) -> float:
    """Variance of the eigenvalues of J J^T, whose mean is 1 at a critical point; 0 is isometry.

    >>> isometry_variance("linear", 1.0, depth=10, orthogonal=True)
    0.0
    >>> isometry_variance("relu", 1.0, depth=4)
    8.0

    Parameters
    ----------
    variance : float
        q*, at which chi_1 = 1.
    depth : int
        Layers in the Jacobian J.
    orthogonal : bool
        Orthogonal weights; Gaussian ones otherwise.

    Notes
    -----
    L (mu_2 / mu_1^2 - 1 - s_1), mu_k = E phi'^(2 k), s_1 = -1 for Gaussian and 0 for orthogonal
    weights. Pennington, Schoenholz, Ganguli: The emergence of spectral universality in deep
    networks. AISTATS (2018), doi:10.48550/arXiv.1802.09979.
    """
    at = moments(activation, variance)
    spread = float(at.slope_fourth / at.slope_square**2) - 1.0
    return int(as_whole_numbers("depth", depth)) * (spread + (0.0 if orthogonal else 1.0))


def leaky_correlation(correlation: ArrayLike, negative_slope: float) -> Array:
    """Correlation one layer on, of a leaky ReLU at its critical point.

    >>> leaky_correlation([0.0, 1.0], negative_slope=0.0).round(6)
    array([0.31831, 1.     ])

    Notes
    -----
    c + (1 - a)^2 / (pi (1 + a^2)) (sqrt(1 - c^2) - c acos c).
    """
    c = as_between("correlation", correlation, -1.0, 1.0)
    one, a = np.ones_like(c), float(negative_slope)
    value, _ = two_slopes_kernel(one, one, c, a)
    return value * (2.0 / (1.0 + a**2))


def tailored_slope(
    depth: int | None = None,
    target: float = 0.9,
    network: Callable[[Callable[[Array], Array]], Array] | None = None,
) -> tuple[float, float]:
    """Leaky slope and output scale that keep two orthogonal inputs apart in a deep network.

    >>> slope, scale = tailored_slope(depth=100)
    >>> round(slope, 5), round(scale, 5)
    (0.57044, 1.2284)

    Parameters
    ----------
    depth : int
        Layers of a plain chain; not needed with `network`.
    target : float
        Correlation at the output of two inputs of correlation 0, between 0 and 1.
    network : callable, optional
        Takes the correlation map of one layer, returns the network's correlation at the output
        for correlation 0 at the input. For anything that is no plain chain.

    Returns
    -------
    slope, scale : float
        Negative slope a (0 where plain ReLU is below the target already), and the factor
        sqrt(2 / (1 + a^2)) on the activation that keeps the variance.

    Notes
    -----
    Zhang, Botev, Martens: Deep learning without shortcuts: shaping the kernel with tailored
    rectifiers. ICLR (2022), doi:10.48550/arXiv.2203.08120.
    """
    goal = float(as_between("target", target, 0.0, 1.0))
    if network is None:
        if depth is None:
            raise SpecError("tailored_slope: needs the depth of a plain chain, or a network")
        layers = int(as_whole_numbers("depth", depth))

        def chain(layer: Callable[[Array], Array]) -> Array:
            c = np.zeros(())
            for _ in range(layers):
                c = layer(c)
            return c

        network = chain

    def reached(slope: float) -> float:
        return float(network(lambda c: leaky_correlation(np.clip(c, -1.0, 1.0), slope)))

    low, high = 0.0, 1.0
    if reached(low) <= goal:
        high = low
    while high - low > 1e-14:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if reached(middle) > goal else (low, middle)
    slope = 0.5 * (low + high)
    return slope, math.sqrt(2.0 / (1.0 + slope**2))
