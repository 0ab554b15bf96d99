"""What batch, layer and tensor norm do to a batch's kernel, forwards and backwards."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from undertow.errors import SpecError, UnknownName
from undertow.theory.activations import Activation, find
from undertow.theory.kernels import covariance
from undertow.theory.moments import gauss_legendre

Array = NDArray[np.float64]

DRAWN_NUMBERS, DRAWS = 1_000_000, (2_000, 20_000)  # samples x draws of a unit, and how many
KINDS = ("none", "batch", "layer", "tensor")


def normalised_kernel(kernel: ArrayLike, kind: str) -> Array:
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

    Notes
    -----
    Over many units layer norm divides Q_ab by sqrt(Q_aa Q_bb), tensor norm by the mean of Q_aa.
    Batch norm sends y ~ N(0, P Q P), P taking off the mean, to sqrt(B) y / |y|, and
    E[y y^T / |y|^2] has P Q P's eigenvectors and the eigenvalues
    int lambda / (1 + 2 t lambda) prod_j (1 + 2 t lambda_j)^(-1/2) dt. What follows takes those
    directions on a sphere for Gaussian, which is good for batches of ten and more.
    """
    cov = covariance(kernel)
    _known(kind)
    if kind == "none":
        return cov
    if kind == "batch":
        variances, vectors = np.linalg.eigh(_centred(cov))
        share = _spherical(variances)
        return len(cov) * (vectors * share) @ vectors.T
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

    Notes
    -----
    The backward pass of batch norm is (P delta - xh t) / s for each unit, with t = xh . delta / B
    and delta = v phi'(xh): where v is much the same for all samples, t is most of delta. Its mean
    square is an average over draws of xh, of which each takes in all v at once:
    E[t delta_b | xh] = phi'_b sum_c psi_c V_cb / B and E[t^2 | xh] = sum_cd psi_c V_cd psi_d / B^2
    with psi = xh phi'(xh). With fewer than three directions in the batch E[1 / s^2] is infinite:
    it is cut off where one unit in units^2 would lie. The generator's seed is fixed.
    """
    cov, back = covariance(kernel), np.asarray(delta, dtype=np.float64)
    _known(kind)
    if kind == "none":
        return back
    power = np.diagonal(cov)
    if kind == "layer":
        return back / np.sqrt(power[:, None] * power)
    if kind == "tensor":
        return back / np.mean(power)
    value = back if arriving is None else np.asarray(arriving, dtype=np.float64)
    return _batch_normalised(value, cov, find(activation or "linear"), units)


def _batch_normalised(value: Array, cov: Array, phi: Activation, units: int) -> Array:
    size = len(cov)
    draws = int(np.clip(DRAWN_NUMBERS // size, *DRAWS))
    variances, vectors = np.linalg.eigh(_centred(cov))
    variances = _clean(variances)
    drawn = np.random.default_rng(0).standard_normal((size, draws))
    drawn = vectors @ (np.sqrt(variances)[:, None] * drawn)
    square = np.mean(drawn**2, axis=0)
    kept = square >= np.quantile(square, min(0.5, 1.0 / units**2), method="lower")
    weight = kept / square
    weight *= size * _inverse_square(variances, units) / np.sum(weight)  # E[1 / s^2] exactly
    xh = drawn / np.sqrt(square)
    slope = phi.slope(xh)
    reaching = value @ (xh * slope) / size  # sum_c V_bc psi_c / B
    taken = (slope * reaching * weight) @ xh.T  # E[t delta_b xh_a]
    squared = np.sum(xh * slope * reaching, axis=0) / size
    left = _centred(value * ((slope * weight) @ slope.T)) - _centred_left(taken)
    return left - _centred_left(taken).T + (xh * (squared * weight)) @ xh.T


def _known(kind: str) -> None:
    if kind not in KINDS:
        raise UnknownName("normalisation", str(kind), KINDS)


def _centred_left(array: Array) -> Array:
    return array - array.mean(axis=0)


def _centred(array: Array) -> Array:
    return _centred_left(_centred_left(array).T).T


def _total(variances: Array) -> float:
    total = float(np.sum(np.maximum(variances, 0.0)))
    if not total > 0:
        raise SpecError("kernel: the same for every sample: batch norm would divide by 0")
    return total


def _clean(variances: Array) -> Array:
    return np.where(variances > 1e-12 * _total(variances), variances, 0.0)


def _laplace(variances: Array, reach: float) -> tuple[Array, Array, Array, Array]:
    """Nodes t, weights dt, E exp(-t |y|^2) and the variances cleared of noise."""
    total = _total(variances)
    clean = _clean(variances)
    node, weight = gauss_legendre(16)
    starts = np.arange(-36.0, reach)
    u = (starts[:, None] + 0.5 * (node + 1.0)).ravel() - math.log(total)
    t = np.exp(u)
    transform = np.exp(-0.5 * np.sum(np.log1p(2.0 * np.outer(t, clean)), axis=1))
    return t, np.tile(0.5 * weight, starts.size) * t, transform, clean


def _spherical(variances: Array) -> Array:
    """E[y_i^2 / |y|^2] for independent y_i of these variances; they add up to 1."""
    t, weight, transform, clean = _laplace(variances, 80.0)
    share = clean * ((weight * transform) @ (1.0 / (1.0 + 2.0 * np.outer(t, clean))))
    return share / np.sum(share)


def _inverse_square(variances: Array, units: int) -> float:
    """E[1 / |y|^2], the rarest one in units^2 left out."""
    _, weight, transform, _ = _laplace(variances, 80.0)
    return float(np.sum(weight * transform * (transform > 1.0 / max(units, 2) ** 2)))
