"""The forward pass of R networks at once.

Activations are [R, features, batch]: with samples last, PyTorch's batched products of small
matrices run three to four times faster than with features last (docs/performance.md).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from undertow.lab.activations import ACTIVATIONS
from undertow.lab.parameters import Parameters
from undertow.spec import NetworkSpec

NORM_EPSILON = 1e-5
NORM_MOMENTUM = 0.1  # of the running statistics, as in PyTorch


class Forward(NamedTuple):
    """What a forward pass leaves: per layer its output, what entered and left its activation."""

    outputs: list[Tensor]  # linear outputs, the last one the logits; [R, fan_out, batch]
    preactivations: list[Tensor]  # hidden layers: `outputs`, normalised where the spec says so
    activations: list[Tensor]  # hidden layers: the activation function's values, before any skip


class Running(NamedTuple):
    """BatchNorm's running statistics, per hidden layer [R, width, 1]; updated in place."""

    means: list[Tensor]
    variances: list[Tensor]


def running_statistics(spec: NetworkSpec, replicates: int, dtype: torch.dtype) -> Running:
    """Return BatchNorm's statistics before the first batch: mean 0, variance 1."""
    depth = spec.depth if spec.normalisation == "batch" else 0
    shape = (replicates, spec.width, 1)
    return Running(
        [torch.zeros(shape, dtype=dtype) for _ in range(depth)],
        [torch.ones(shape, dtype=dtype) for _ in range(depth)],
    )


def forward(
    spec: NetworkSpec,
    parameters: Parameters,
    running: Running,
    inputs: Tensor,
    *,
    training: bool,
) -> Forward:
    """Run R networks on their batches, [R, inputs, batch] -> logits [R, outputs, batch].

    >>> from undertow.lab.parameters import initial_parameters
    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=3, width=10, activation="tanh")
    >>> running = running_statistics(spec, 5, torch.float32)
    >>> batch = torch.zeros(5, 2, 32)
    >>> parameters = initial_parameters(spec, [0, 1, 2, 3, 4], torch.float32)
    >>> forward(spec, parameters, running, batch, training=False).outputs[-1].shape
    torch.Size([5, 1, 32])
    """
    activate = ACTIVATIONS[spec.activation].function
    received = {end: [start for start, to in spec.skips if to == end] for _, end in spec.skips}
    outputs, preactivations, activations, read = [], [], [], []
    x = inputs
    for layer in range(spec.depth):
        z = torch.baddbmm(parameters.biases[layer], parameters.weights[layer], x)
        outputs.append(z)
        z = _normalised(spec, parameters, running, layer, z, training)
        preactivations.append(z)
        x = activate(z)
        activations.append(x)
        if starts := received.get(layer + 1):
            x = spec.branch_scale * x
            for start in starts:
                x = x + read[start - 1]
        read.append(x)
    outputs.append(torch.baddbmm(parameters.biases[-1], parameters.weights[-1], x))
    return Forward(outputs, preactivations, activations)


def _normalised(
    spec: NetworkSpec,
    parameters: Parameters,
    running: Running,
    layer: int,
    z: Tensor,
    training: bool,
) -> Tensor:
    match spec.normalisation:
        case "none":
            return z
        case "tensor":
            mean, sd = z.mean((1, 2), keepdim=True), z.std((1, 2), keepdim=True)
            return (z - mean) / sd
        case "batch" if not training:
            mean, variance = running.means[layer], running.variances[layer]
        case "batch":
            variance, mean = torch.var_mean(z, 2, correction=0, keepdim=True)
            _update(running, layer, mean, variance, z.shape[2])
        case _:
            variance, mean = torch.var_mean(z, 1, correction=0, keepdim=True)
    standard = (z - mean) * torch.rsqrt(variance + NORM_EPSILON)
    return torch.addcmul(parameters.shifts[layer], parameters.scales[layer], standard)


@torch.no_grad()
def _update(running: Running, layer: int, mean: Tensor, variance: Tensor, samples: int) -> None:
    # As in PyTorch, the running variance is the unbiased one.
    unbiased = variance * (samples / max(samples - 1, 1))
    running.means[layer].lerp_(mean, NORM_MOMENTUM)
    running.variances[layer].lerp_(unbiased, NORM_MOMENTUM)
