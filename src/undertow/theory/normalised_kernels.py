"""What batch, layer and tensor norm do to a batch's kernel, forwards and backwards."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from undertow.errors import SpecError, UnknownName
from undertow.theory.kernels import covariance
from undertow.theory.moments import gauss_legendre

Array = NDArray[np.float64]

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


def normalised_delta(delta: ArrayLike, kernel: ArrayLike, kind: str, units: int) -> Array:
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

    Notes
    -----
    The backward pass of batch norm is (P - xh xh^T / B) delta / s for each unit. Its mean square
    is E[1 / s^2] (P D P - (R D P + P D R) / B + tr(R D) R / B^2), R the normalised kernel. With
    fewer than three directions in the batch E[1 / s^2] is infinite: it is cut off where one unit
    in units^2 would lie.
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
    size = len(cov)
    inverse = size * _inverse_square(np.linalg.eigh(_centred(cov))[0], units)
    seen = normalised_kernel(cov, "batch")
    mixed = _centred_left(back @ seen) / size
    rest = np.sum(seen * back) / size**2 * seen
    return inverse * (_centred(back) - mixed - mixed.T + rest)


def _known(kind: str) -> None:
    if kind not in KINDS:
        raise UnknownName("normalisation", str(kind), KINDS)


def _centred_left(array: Array) -> Array:
    return array - array.mean(axis=0)


def _centred(array: Array) -> Array:
    return _centred_left(_centred_left(array).T).T


def _laplace(variances: Array, reach: float) -> tuple[Array, Array, Array, Array]:
    """Nodes t, weights dt, E exp(-t |y|^2) and the variances cleared of noise."""
    total = float(np.sum(np.maximum(variances, 0.0)))
    if not total > 0:
        raise SpecError("kernel: the same for every sample: batch norm would divide by 0")
    clean = np.where(variances > 1e-12 * total, variances, 0.0)
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
