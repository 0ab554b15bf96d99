"""Averages over pairs of inputs: what the kernel of a batch becomes after an activation.

Three ways, tried in this order: a closed form (two-slope functions, erf, hard tanh, gelu) or an
average of a few (the logistic family, `smooth_steps`); a Mehler series with an estimate of its
error, first short, then long; for the pairs whose error still is too large, a two-dimensional
quadrature split along every kink.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from undertow.activations.activation import Activation, find
from undertow.errors import SpecError
from undertow.theory.arguments import as_between, at_least_zero
from undertow.theory.gaussian.known import kernel_of
from undertow.theory.gaussian.mehler import series
from undertow.theory.gaussian.moments import moments
from undertow.theory.gaussian.pair_quadrature import integrate

Array = NDArray[np.float64]
Index = NDArray[np.intp]

TOLERANCE = 1e-3
CERTAIN = 1e-7


class KernelMaps(NamedTuple):
    """What one activation makes of a batch's kernel; see `kernel_maps`.

    Fields
    ------
    value : array [B, B]
        K_ab = E phi(u_a) phi(u_b).
    slope : array [B, B]
        D_ab = E phi'(u_a) phi'(u_b).
    mean : array [B]
        E phi(u_a).
    error : float
        Estimate of the largest error of any entry, relative to sqrt(K_aa K_bb) or
        sqrt(D_aa D_bb); 0 for what is good to 1e-9.
    """

    value: Array
    slope: Array
    mean: Array
    error: float


def kernel_maps(
    activation: str | Activation, kernel: ArrayLike, tolerance: float = TOLERANCE
) -> KernelMaps:
    """Return E phi(u_a) phi(u_b) and E phi'(u_a) phi'(u_b) for every pair of a batch.

    >>> maps = kernel_maps("tanh", [[1.0, 0.5], [0.5, 1.0]])
    >>> maps.value.round(6)
    array([[0.394294, 0.186324],
           [0.186324, 0.394294]])
    >>> kernel_maps("relu", [[1.0, 0.5], [0.5, 1.0]]).error
    0.0

    Parameters
    ----------
    activation : str or Activation
    kernel : array [B, B]
        Covariance of the pre-activations u of one unit over the batch: symmetric, positive
        semidefinite.
    tolerance : float
        Largest estimated error of the Mehler series that is accepted. An error of 1e-3 in one
        layer moves its gradient norm by .0002 dex.

    Returns
    -------
    KernelMaps
        The diagonal is that of `moments`, to its full accuracy.

    Raises
    ------
    SpecError
        A kernel that is not square, not finite, not symmetric, or no covariance.

    Notes
    -----
    Mehler: K_ab = sum_k a_k(q_a) a_k(q_b) c_ab^k with a_k(q) = E[phi(sqrt(q) x) h_k(x)] and h_k
    the normalised Hermite polynomials. See `mehler` for what is done about kinks.
    Daniely, Frostig, Singer: Toward deeper understanding of neural networks. NeurIPS 29 (2016),
    doi:10.48550/arXiv.1602.05897.
    """
    phi = find(activation)
    cov = covariance(kernel)
    size = len(cov)
    q = np.diagonal(cov)
    first, second = np.triu_indices(size, 1)
    scale = np.sqrt(q[first] * q[second])
    c = np.divide(cov[first, second], scale, out=np.zeros_like(scale), where=scale > 0)
    if np.any(np.abs(c) > 1.0 + 1e-6):
        raise SpecError(
            "kernel: an entry exceeds the square root of its two diagonal entries, so it is no "
            "covariance; build it as  x @ x.T / inputs"
        )
    pairs = _pairs(phi, q, first, second, np.clip(c, -1.0, 1.0), tolerance)
    averages = moments(phi, q)
    value, slope = np.diag(averages.square), np.diag(averages.slope_square)
    value[first, second] = value[second, first] = pairs[0]
    slope[first, second] = slope[second, first] = pairs[1]
    return KernelMaps(value, slope, averages.mean, pairs[2])


def pair_means(
    activation: str | Activation,
    first_variance: ArrayLike,
    second_variance: ArrayLike,
    correlation: ArrayLike,
    tolerance: float = TOLERANCE,
) -> tuple[Array, Array]:
    """Return E phi(u) phi(v) and E phi'(u) phi'(v) for Gaussian pairs (u, v).

    >>> value, slope = pair_means("erf", 1.0, 2.0, 0.5)
    >>> round(float(value), 6), round(float(slope), 6)
    (0.237963, 0.353133)

    Parameters
    ----------
    first_variance, second_variance, correlation : arrays that broadcast to one shape
    tolerance : float
        As in `kernel_maps`.
    """
    phi = find(activation)
    q1, q2, c = np.broadcast_arrays(
        at_least_zero("first_variance", first_variance),
        at_least_zero("second_variance", second_variance),
        as_between("correlation", correlation, -1.0, 1.0),
    )
    variances, index = np.unique(np.concatenate([q1.ravel(), q2.ravel()]), return_inverse=True)
    first, second = index.reshape(2, -1)
    value, slope, _ = _pairs(phi, variances, first, second, c.ravel(), tolerance)
    return value.reshape(c.shape), slope.reshape(c.shape)


def covariance(kernel: ArrayLike) -> Array:
    """Return `kernel` as a float64 array [B, B], or say in one line what is wrong with it.

    >>> covariance([[1.0, 0.5], [0.5, 1.0]]).shape
    (2, 2)
    """
    cov = np.asarray(kernel, dtype=np.float64)
    if cov.ndim != 2 or cov.shape[0] != cov.shape[1] or cov.size == 0:
        raise SpecError(f"kernel of shape {cov.shape}: must be [B, B], a number for every pair")
    if not np.all(np.isfinite(cov)):
        raise SpecError("kernel: has NaN or infinite entries; check the inputs it was made from")
    if np.any(np.diagonal(cov) < 0):
        raise SpecError("kernel: has a negative variance on its diagonal; it is no covariance")
    if np.max(np.abs(cov - cov.T)) > 1e-8 * max(float(np.max(np.abs(cov))), 1e-300):
        raise SpecError("kernel: is not symmetric; build it as  x @ x.T / inputs")
    return cov


def _pairs(
    phi: Activation, q: Array, first: Index, second: Index, c: Array, tolerance: float
) -> tuple[Array, Array, float]:
    if not c.size:
        return np.zeros(0), np.zeros(0), 0.0
    closed = kernel_of(phi)
    if closed:
        value, slope = closed(q[first], q[second], c)
        return np.asarray(value), np.asarray(slope), 0.0
    value, slope, error = series(phi, q, first, second, c)
    for length in (1024, None):
        doubtful = np.flatnonzero(error > tolerance)
        if not doubtful.size:
            break
        some = first[doubtful], second[doubtful], c[doubtful]
        if length:
            better = series(phi, q, *some, length)
        else:
            better = (*integrate(phi, q[some[0]], q[some[1]], some[2]), CERTAIN)
        value[doubtful], slope[doubtful], error[doubtful] = better
    return value, slope, float(np.max(error))
