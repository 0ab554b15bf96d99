"""How much the error at the outputs, drawn with the weights, scatters a batch's gradient norms.

`finite_width` takes the output error as given. In a network whose answers are all but the same for
every sample, as a stack of sigmoids gives, one draw of that answer decides how large the whole
batch's gradient is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from undertow.errors import UnknownName
from undertow.theory.batch.output_errors import LOSSES, draws_of, error_of, gaussian_outputs, labels
from undertow.theory.gaussian.kernels import covariance

Array = NDArray[np.float64]

TINY = 1e-300


def error_scatter(
    forms: Sequence[Array],
    output_kernel: ArrayLike,
    outputs: int,
    targets: ArrayLike | None = None,
    loss: str = "cross_entropy",
    samples: int = 400,
    seed: int = 0,
) -> tuple[Array, Array]:
    """Median shift and standard deviation, in dex, of norms quadratic in the output error.

    >>> same = np.full((32, 32), 0.2)
    >>> shift, sd = error_scatter([np.ones((32, 32))], same, 1, [0, 1] * 16, "binary_cross_entropy")
    >>> shift.round(1), sd.round(1)
    (array([-0.2]), array([0.5]))

    Parameters
    ----------
    forms : sequence of array [B, B]
        M of each norm: its square is sum_ab M_ab e_a . e_b for the errors e of the batch.
    output_kernel, outputs, targets, loss
        As in `output_errors.output_error`.
    samples, seed : int
        Draws of the outputs.

    Notes
    -----
    Outputs z ~ N(0, Q) over the batch, independent for each unit; e(z) as in `output_errors`. The
    shift is that of the norm's median against its root mean square.
    """
    cov = covariance(output_kernel)
    if loss not in LOSSES:
        raise UnknownName("loss", str(loss), LOSSES)
    rng = np.random.default_rng(seed)
    samples = draws_of(samples, len(cov), outputs)
    z = gaussian_outputs(cov, samples, outputs, rng)
    error = error_of(z, labels(targets, z.shape, loss, rng), loss)
    flat = error.transpose(1, 0, 2).reshape(len(cov), -1)
    columns = np.array([np.einsum("bs,bs->s", form @ flat, flat) for form in forms])
    squares = columns.reshape(len(forms), samples, -1).sum(-1)
    logs = 0.5 * np.log10(np.maximum(squares, TINY))
    mean = 0.5 * np.log10(np.maximum(squares.mean(1), TINY))
    return np.median(logs, 1) - mean, logs.std(1)
