"""What batch, layer and tensor norm do to a batch's kernel, forwards and backwards."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from undertow.activations.activation import Activation, find
from undertow.errors import SpecError, UnknownName
from undertow.theory.gaussian.kernels import covariance
from undertow.theory.gaussian.moments import gauss_legendre

Array = NDArray[np.float64]

DRAWN_NUMBERS, DRAWS = 65_536, (512, 8_192)  # samples x draws of a unit, and how many
KINDS = ("none", "batch", "layer", "tensor")


class Directions(NamedTuple):
    """Where a batch's pre-activations vary once their mean is off, and how far; `directions`.

    Eigenvectors `vectors` [B, B] and eigenvalues `variances` [B] of P Q P, and
    E exp(-t |y|^2) = `transform` [T] at nodes `t` with weights `dt`, for y ~ N(0, P Q P).
    """

    vectors: Array
    variances: Array
    t: Array
    dt: Array
    transform: Array


def directions(kernel: ArrayLike, kind: str) -> Directions | None:
    """Return what batch norm needs of a kernel, there and back; None for the other kinds.

    >>> directions([[4.0, 1.0], [1.0, 1.0]], "batch").variances
    array([0. , 1.5])
    """
    _check_kind(kind)
    if kind != "batch":
        return None
    variances, vectors = np.linalg.eigh(_centre(covariance(kernel)))
    return Directions(vectors, *_laplace(variances))


def normalised_kernel(kernel: ArrayLike, kind: str, found: Directions | None = None) -> Array:
    """Return the kernel of normalised pre-activations, scale 1 and shift 0.

    >>> normalised_kernel([[4.0, 1.0], [1.0, 1.0]], "layer")
    array([[1. , 0.5],
           [0.5, 1. ]])
    >>> normalised_kernel([[4.0, 1.0], [1.0, 1.0]], "tensor")
    array([[1.6, 0.4],
           [0.4, 0.4]])

    Parameters
    ----------
    kernel : array [B, B]
        Covariance Q over the batch of each unit's pre-activations.
    kind : str
        `batch` (each unit over the batch), `layer` (each sample over its units), `tensor` (all at
        once) or `none`.
    found : Directions, optional
        Of this kernel, where they are at hand already.

    Notes
    -----
    Over many units layer norm divides Q_ab by sqrt(Q_aa Q_bb), tensor norm by the mean of Q_aa.
    Batch norm sends y ~ N(0, P Q P), P taking off the mean, to sqrt(B) y / |y|, and
    E[y y^T / |y|^2] has P Q P's eigenvectors and the eigenvalues
    int lambda / (1 + 2 t lambda) prod_j (1 + 2 t lambda_j)^(-1/2) dt. What follows takes those
    directions on a sphere for Gaussian, which is good for batches of ten and more.
    """
    cov = covariance(kernel)
    _check_kind(kind)
    if kind == "none":
        return cov
    if kind == "batch":
        found = found or directions(cov, kind)
        assert found
        return len(cov) * (found.vectors * _spherical(found)) @ found.vectors.T
    power = np.diagonal(cov)
    if np.any(power == 0 if kind == "layer" else np.mean(power) == 0):
        raise SpecError(f"kernel: a silent sample cannot be {kind}-normalised; leave it out")
    if kind == "layer":
        return cov / np.sqrt(power[:, None] * power)
    return cov / np.mean(power)


def normalised_delta(
    delta: ArrayLike,
    kernel: ArrayLike,
    kind: str,
    units: int,
    *,
    activation: str | Activation | None = None,
    arriving: ArrayLike | None = None,
    found: Directions | None = None,
) -> Array:
    """Carry E[delta_a . delta_b] back through a norm, from its output to its input.

    >>> normalised_delta(np.eye(2), [[4.0, 0.0], [0.0, 1.0]], "layer", units=100)
    array([[0.25, 0.  ],
           [0.  , 1.  ]])

    Parameters
    ----------
    delta : array [B, B]
        At the norm's output.
    kernel : array [B, B]
        At the norm's INPUT, as given to `normalised_kernel`.
    units : int
        In the layer.
    activation, arriving : str or Activation, array [B, B]
        The activation that follows, and E[v_a . v_b] of v = dE/dx above it, so that
        delta = v phi'(xh). Left out, the activation counts as linear, and v = delta.
    found : Directions, optional
        Of this kernel, where they are at hand already.

    Notes
    -----
    The backward pass of batch norm is (P delta - xh t) / s for each unit, with t = xh . delta / B
    and delta = v phi'(xh): where v is much the same for all samples, t is most of delta. Its mean
    square is an average over draws of xh, of which each takes in all v at once:
    E[t delta_b | xh] = phi'_b sum_c psi_c V_cb / B and E[t^2 | xh] = sum_cd psi_c V_cd psi_d / B^2
    with psi = xh phi'(xh). With fewer than three directions in the batch E[1 / s^2] is infinite:
    it is cut off where one unit in units^2 would lie. How xh is drawn, `_draw` says.
    """
    cov, back = covariance(kernel), np.asarray(delta, dtype=np.float64)
    _check_kind(kind)
    if kind == "none":
        return back
    power = np.diagonal(cov)
    if kind == "layer":
        return back / np.sqrt(power[:, None] * power)
    if kind == "tensor":
        return back / np.mean(power)
    value = back if arriving is None else np.asarray(arriving, dtype=np.float64)
    found = found or directions(cov, kind)
    assert found
    return _batch_normalised(value, find(activation or "linear"), found, units)


def _batch_normalised(value: Array, phi: Activation, found: Directions, units: int) -> Array:
    """Average over xh and -xh. In their sum the even and the odd half of phi' part company."""
    size = len(value)
    draws = int(np.clip(DRAWN_NUMBERS // size, *DRAWS))
    # Of an odd activation one half is 0: its draws cost half as much, and -xh tells it nothing.
    xh, inverse_square = _draw(found, units, 2 * draws if _is_odd(phi) else draws)
    there, opposite = phi.slope(xh), phi.slope(-xh)
    halves = [half for half in (0.5 * (there + opposite), 0.5 * (there - opposite)) if half.any()]
    if not halves:
        return np.zeros_like(value)
    slopes = sum(half @ half.T for half in halves)  # of an array by itself: half the products
    reached = sum(half * (value @ (xh * half)) for half in halves) / size  # E[t delta | xh]
    taken = _centred_left(reached @ xh.T)
    squared = np.mean(xh * reached, axis=0)  # E[t^2 | xh], below 0 by rounding only
    along = xh * np.sqrt(np.maximum(squared, 0.0))
    left = _centre(value * slopes) - taken - taken.T + along @ along.T
    return left * (inverse_square / xh.shape[1])


def _is_odd(phi: Activation) -> bool:
    z = np.linspace(0.05, 4.0, 80)
    return np.array_equal(phi.slope(z), phi.slope(-z))


def _draw(found: Directions, units: int, draws: int) -> tuple[Array, float]:
    """Draw xh [B, draws] with the density it has times 1 / s^2; also return E[1 / s^2].

    Drawn as it is, a few small s would decide the average. 1 / s^2 = B int exp(-t |y|^2) dt makes
    a mixture of the density of y times 1 / s^2: y ~ N(0, PQP / (1 + 2 t PQP)), with t drawn in
    proportion to E exp(-t |y|^2). The t are quantiles; the directions are orthonormal frames, each
    turned at random, which average squares over themselves. The generator's seed is fixed.
    """
    size = len(found.variances)
    mass = found.dt * found.transform * (found.transform > 1.0 / max(units, 2) ** 2)
    total = np.sum(mass)
    chance = (np.arange(draws) + 0.5) / draws
    t = np.exp(np.interp(chance, (np.cumsum(mass) - 0.5 * mass) / total, np.log(found.t)))
    variances = found.variances[:, None]
    y = np.sqrt(variances / (1.0 + 2.0 * t * variances)) * _frames(size, draws)
    return found.vectors @ (y / np.sqrt(np.mean(y**2, axis=0))), size * float(total)


@lru_cache(maxsize=2)
def _frames(size: int, count: int) -> Array:
    """Unit vectors [size, count], side by side in orthonormal frames turned at random."""
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal((-(-count // size), size, min(size, count)))
    frames, signs = np.linalg.qr(drawn)
    frames = frames * np.sign(np.diagonal(signs, axis1=1, axis2=2))[:, None]
    flat = np.moveaxis(frames, 0, 1).reshape(size, -1)
    return flat[:, rng.permutation(flat.shape[1])[:count]]


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise UnknownName("normalisation", str(kind), KINDS)


def _centred_left(array: Array) -> Array:
    return array - array.mean(axis=0)


def _centre(array: Array) -> Array:
    return _centred_left(_centred_left(array).T).T


def _total(variances: Array) -> float:
    total = float(np.sum(np.maximum(variances, 0.0)))
    if not total > 0:
        raise SpecError("kernel: the same for every sample: batch norm would divide by 0")
    return total


def _clean(variances: Array) -> Array:
    return np.where(variances > 1e-12 * _total(variances), variances, 0.0)


def _laplace(variances: Array) -> tuple[Array, Array, Array, Array]:
    """Variances cleared of noise, nodes t, weights dt and E exp(-t |y|^2)."""
    total = _total(variances)
    clean = _clean(variances)
    node, weight = gauss_legendre(16)
    starts = np.arange(-36.0, 80.0)
    u = (starts[:, None] + 0.5 * (node + 1.0)).ravel() - math.log(total)
    t = np.exp(u)
    transform = np.exp(-0.5 * np.sum(np.log1p(2.0 * np.outer(t, clean)), axis=1))
    return clean, t, np.tile(0.5 * weight, starts.size) * t, transform


def _spherical(found: Directions) -> Array:
    """E[y_i^2 / |y|^2] for independent y_i of these variances; they add up to 1."""
    variances = found.variances
    parts = 1.0 / (1.0 + 2.0 * np.outer(found.t, variances))
    share = variances * ((found.dt * found.transform) @ parts)
    return share / np.sum(share)
