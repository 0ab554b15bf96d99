"""What a loss sends back from the outputs of an untrained network: E[e_a . e_b] over a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from undertow.errors import SpecError, UnknownName
from undertow.theory.gaussian.kernels import covariance, kernel_maps

Array = NDArray[np.float64]

LOSSES = ("cross_entropy", "binary_cross_entropy", "mean_squared_error")
AT_ONCE = 20_000_000


def output_error(
    output_kernel: ArrayLike,
    outputs: int,
    targets: ArrayLike | None = None,
    loss: str = "cross_entropy",
    samples: int = 1000,
    seed: int = 0,
) -> Array:
    """Return E[e_a . e_b], e_a the slope of sample a's loss by its outputs, for Gaussian outputs.

    >>> output_error([[1.0, 0.0], [0.0, 1.0]], 1, [0, 1], "binary_cross_entropy").round(4)
    array([[ 0.2934, -0.25  ],
           [-0.25  ,  0.2934]])

    Parameters
    ----------
    output_kernel : array [B, B]
        Covariance over the batch of each of the `outputs` independent outputs.
    targets, loss, samples
        As in `gradients.batch_gradients`.
    seed : int
        Of the draws for cross_entropy; the result depends on nothing else.

    Returns
    -------
    array [B, B]

    Notes
    -----
    e = softmax(z) - y for cross_entropy, (sigmoid(z) - y) / outputs for binary_cross_entropy,
    2 (z - y) / outputs for mean_squared_error: the loss of one sample is a mean over outputs in
    the last two, as in PyTorch. Only softmax has no pair average in closed form or series.
    """
    cov = covariance(output_kernel)
    if loss not in LOSSES:
        raise UnknownName("loss", str(loss), LOSSES)
    if loss == "cross_entropy":
        if outputs < 2:
            raise SpecError(
                "cross_entropy on one output has no gradient; type  loss='binary_cross_entropy'"
            )
        return _softmax(cov, outputs, _classes(targets, len(cov), outputs), samples, seed)
    if targets is None:
        if loss == "mean_squared_error":
            raise SpecError("mean_squared_error needs targets: give an array [B] or [B, outputs]")
        pair = kernel_maps("sigmoid", cov).value - 0.25
        return (pair + 0.25 * np.eye(len(cov))) / outputs
    y = _numbers(targets, len(cov), outputs)
    if loss == "mean_squared_error":
        return 4.0 / outputs**2 * (outputs * cov + y @ y.T)
    half = 0.5 * y.sum(axis=1)
    pair = outputs * kernel_maps("sigmoid", cov).value - half[:, None] - half + y @ y.T
    return pair / outputs**2


def gaussian_outputs(cov: Array, draws: int, outputs: int, rng: np.random.Generator) -> Array:
    """Draw the outputs of a batch, [draws, B, outputs], each unit of covariance `cov`."""
    variances, vectors = np.linalg.eigh(cov)
    root = vectors * np.sqrt(np.maximum(variances, 0.0))
    z = root @ rng.standard_normal((draws * outputs, len(cov))).T
    return z.reshape(len(cov), draws, outputs).transpose(1, 0, 2)


def labels(
    targets: ArrayLike | None, shape: tuple[int, ...], loss: str, rng: np.random.Generator
) -> Array:
    """Return what the outputs [draws, B, outputs] are to be, of a shape that broadcasts to them."""
    draws, size, outputs = shape
    if loss == "cross_entropy":
        classes = _classes(targets, size, outputs)
        if classes is None:
            return np.eye(outputs)[rng.integers(outputs, size=(draws, size))]
        return np.eye(outputs)[classes]
    if targets is None:
        return rng.integers(2, size=shape).astype(np.float64)
    return _numbers(targets, size, outputs)


def error_of(z: Array, y: Array, loss: str) -> Array:
    """Return the slope of one sample's loss by its outputs, of the shape of `z`.

    >>> error_of(np.zeros((1, 1, 2)), np.array([[1.0, 0.0]]), "cross_entropy")
    array([[[-0.5,  0.5]]])
    """
    if loss == "cross_entropy":
        p = np.exp(z - z.max(axis=-1, keepdims=True))
        return p / p.sum(axis=-1, keepdims=True) - y
    if loss == "binary_cross_entropy":
        return (0.5 + 0.5 * np.tanh(0.5 * z) - y) / z.shape[-1]
    return 2.0 * (z - y) / z.shape[-1]


def draws_of(samples: int, size: int, outputs: int) -> int:
    """How many draws to take; many outputs average over themselves, and memory is bounded."""
    return int(np.clip(AT_ONCE // (size * outputs), 4, samples))


def _softmax(
    cov: Array, outputs: int, classes: NDArray[np.int64] | None, samples: int, seed: int
) -> Array:
    size = len(cov)
    draws = draws_of(samples, size, outputs)
    z = gaussian_outputs(cov, draws, outputs, np.random.default_rng(seed))
    y = np.zeros(outputs) if classes is None else np.eye(outputs)[classes]
    flat = error_of(z, y, "cross_entropy").transpose(1, 0, 2).reshape(size, -1)
    found = flat @ flat.T / draws
    if classes is None:
        found += (1.0 - 1.0 / outputs) * np.eye(size) - 1.0 / outputs
    return found


def _classes(targets: ArrayLike | None, size: int, outputs: int) -> NDArray[np.int64] | None:
    if targets is None:
        return None
    classes: Any = np.asarray(targets)
    if classes.shape != (size,):
        raise SpecError(f"targets of shape {classes.shape}: must be [{size}], one class a sample")
    if not np.all((classes >= 0) & (classes < outputs) & (classes == np.round(classes))):
        raise SpecError(f"targets: classes must be whole numbers from 0 to {outputs - 1}")
    return classes.astype(np.int64)


def _numbers(targets: ArrayLike, size: int, outputs: int) -> Array:
    y = np.asarray(targets, dtype=np.float64)
    if y.shape not in ((size, outputs), (size,) if outputs == 1 else None):
        raise SpecError(f"targets of shape {y.shape}: must be [{size}, {outputs}]")
    if not np.all(np.isfinite(y)):
        raise SpecError("targets: must be finite numbers")
    return y.reshape(size, outputs)
