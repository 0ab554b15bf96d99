"""Normalisation between a hidden layer and its activation, there and back.

All three kinds are one form: x = (z - mean) / sd over some dims of [R, width, batch], then, where
the kind has them, a scale and a shift a unit.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from undertow.engine.common.parameters import Parameters
from undertow.spec.network import NetworkSpec

MOMENTUM = 0.1  # of the running statistics, as in PyTorch


class Kind(NamedTuple):
    """Which dims share a mean, and how the variance under the root is taken."""

    dims: tuple[int, ...]
    correction: int  # the sum of squares is divided by the count less this
    epsilon: float


KINDS = {
    "batch": Kind((2,), 0, 1e-5),
    "layer": Kind((1,), 0, 1e-5),
    "tensor": Kind((1, 2), 1, 0.0),
}


class Running(NamedTuple):
    """BatchNorm's running statistics, per hidden layer [R, width, 1]; updated in place."""

    means: list[Tensor]
    variances: list[Tensor]


class Normed(NamedTuple):
    """Where a layer's normalisation is written: x before scale and shift, and 1 / sd."""

    standard: Tensor
    rescale: Tensor


def running_statistics(spec: NetworkSpec, replicates: int, dtype: torch.dtype) -> Running:
    """Return BatchNorm's statistics before the first batch: mean 0, variance 1."""
    shape = (replicates, spec.width, 1)
    layers = range(spec.depth if spec.normalisation == "batch" else 0)
    return Running(
        [torch.zeros(shape, dtype=dtype) for _ in layers],
        [torch.ones(shape, dtype=dtype) for _ in layers],
    )


def room(kind: str, output: Tensor, preactivation: Tensor) -> Normed | None:
    """Make room for a layer's normalisation, None where there is none."""
    if kind == "none":
        return None
    # Without a scale and a shift, what is standardised is what enters the activation.
    standard = preactivation if kind == "tensor" else torch.empty_like(output)
    shape = [1 if dim in KINDS[kind].dims else size for dim, size in enumerate(output.shape)]
    return Normed(standard, output.new_empty(shape))


def normalise(
    kind: str,
    parameters: Parameters,
    running: Running,
    layer: int,
    z: Tensor,
    at: Normed,
    out: Tensor,
    *,
    training: bool,
) -> None:
    """Write what enters the activation into `out`."""
    dims, correction, epsilon = KINDS[kind]
    if kind == "batch" and not training:
        mean, variance = running.means[layer], running.variances[layer]
    else:
        variance, mean = torch.var_mean(z, dims, correction=correction, keepdim=True)
    if kind == "batch" and training:
        _update(running, layer, mean, variance, z.shape[2])
    torch.rsqrt(variance + epsilon, out=at.rescale)
    torch.sub(z, mean, out=at.standard).mul_(at.rescale)
    if parameters.scales:
        torch.addcmul(parameters.shifts[layer], parameters.scales[layer], at.standard, out=out)


def back(
    kind: str, parameters: Parameters, gradient: Parameters, layer: int, at: Normed, delta: Tensor
) -> None:
    """Take `delta` from the normalisation's output to its input, in place.

    With g = scale * delta and x standardised over n numbers: (g - mean g - x sum(g x) / (n - c)) /
    sd, c the variance's correction (Ioffe and Szegedy 2015, arXiv:1502.03167, section 3).
    """
    dims, correction, _ = KINDS[kind]
    if parameters.scales:
        torch.sum(delta, 2, keepdim=True, out=gradient.shifts[layer])
        torch.sum(delta * at.standard, 2, keepdim=True, out=gradient.scales[layer])
        delta.mul_(parameters.scales[layer])
    count = 1
    for dim in dims:
        count *= delta.shape[dim]
    share = (delta * at.standard).sum(dims, keepdim=True).div_(-max(count - correction, 1))
    delta.sub_(delta.mean(dims, keepdim=True)).addcmul_(at.standard, share).mul_(at.rescale)


def _update(running: Running, layer: int, mean: Tensor, variance: Tensor, samples: int) -> None:
    # As in PyTorch, the running variance is the unbiased one.
    unbiased = variance * (samples / max(samples - 1, 1))
    running.means[layer].lerp_(mean, MOMENTUM)
    running.variances[layer].lerp_(unbiased, MOMENTUM)
