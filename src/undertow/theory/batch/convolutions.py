"""Covariances over the positions of a picture: what a convolution reads, and what it sends back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Taps(NamedTuple):
    """Which positions of the layer below each position of a layer reads.

    >>> row = Taps(3, np.array([[-1, 0, 1], [0, 1, 2], [1, 2, -1]]))  # three taps, padded by one
    >>> average_over_taps(np.eye(3), row).diagonal().round(2)  # at both ends a tap reads 0
    array([0.67, 1.  , 0.67])

    Fields
    ------
    inputs : how many positions P the layer below has
    places : int array [taps, positions out], each a place below, or -1 where there is padding of 0
    pooled : array [positions, P] or None; averages that are taken first, which `places` then names
    """

    inputs: int
    places: NDArray[np.int64]
    pooled: Array | None = None


def flattening_taps(positions: int, pooled: Array | None = None) -> Taps:
    """Return how a fully connected layer reads a picture: one position, which reads all.

    >>> flattening_taps(3).places.ravel()
    array([0, 1, 2])
    """
    taps = positions if pooled is None else len(pooled)
    return Taps(positions, np.arange(taps)[:, None], pooled)


def average_over_taps(kernel: Array, reading: Taps | None) -> Array:
    """Average a covariance of what is read over the taps of a layer.

    >>> average_over_taps(np.diag([1.0, 3.0]), flattening_taps(2))
    array([[2.]])

    Parameters
    ----------
    kernel : array [B P, B P]
        E x x of one unit (channel), over samples and positions; positions run fastest.
    reading : Taps, or None for a layer without positions, which reads the kernel as it is.

    Returns
    -------
    array [B P', B P']
        With weights drawn independently, Var W fan_in times it is the covariance of a
        pre-activation without its bias: K'_(ap)(bq) = mean over taps t of K_(a t(p))(b t(q)).

    Sources: Xiao et al. 2018, doi:10.48550/arXiv.1806.05393; Novak et al. 2019,
    doi:10.48550/arXiv.1810.05148.
    """
    if reading is None:
        return kernel
    below = _by_position(kernel, reading.inputs)
    if reading.pooled is not None:
        below = np.einsum("up,apbq,vq->aubv", reading.pooled, below, reading.pooled, optimize=True)
    padded = np.pad(below, ((0, 0), (0, 1)) * 2)  # -1 is the place of zeros
    shares = sum(padded[:, places][:, :, :, places] for places in reading.places)
    return _flat(np.asarray(shares) / len(reading.places))


def scatter_to_taps(kernel: Array, reading: Taps | None) -> Array:
    """Send a covariance of deltas back to what was read: the adjoint of `average_over_taps`.

    >>> scatter_to_taps(np.array([[4.0]]), flattening_taps(2))
    array([[2., 0.],
           [0., 2.]])

    With Delta_(ap)(bq) the sum over units of E delta delta, fan_in Var W times what is returned is
    the same sum over the units below, of what arrives there.
    """
    if reading is None:
        return kernel
    taps, positions = reading.places.shape
    above = _by_position(kernel, positions)
    batch = len(above)
    inner = reading.inputs if reading.pooled is None else len(reading.pooled)
    below = np.zeros((batch, inner + 1, batch, inner + 1))
    samples = np.arange(batch)
    for places in reading.places:
        at = np.ix_(samples, places, samples, places)
        real = places[places >= 0]
        if len(np.unique(real)) == len(real):
            below[at] += above
        else:  # circular padding wider than the kernel reads a place twice; ten times slower
            np.add.at(below, at, above)
    below = below[:, :-1, :, :-1] / taps
    if reading.pooled is not None:
        below = np.einsum("up,aubv,vq->apbq", reading.pooled, below, reading.pooled, optimize=True)
    return _flat(below)


def _by_position(kernel: Array, positions: int) -> Array:
    batch = len(kernel) // positions
    return kernel.reshape(batch, positions, batch, positions)


def _flat(kernel: Array) -> Array:
    size = kernel.shape[0] * kernel.shape[1]
    return np.ascontiguousarray(kernel).reshape(size, size)
