"""The activation functions of the PyTorch engine: value, slope and the largest slope there is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

LEAK = 0.01
SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772


class Activation(NamedTuple):
    """`function(z)`; `slope(z, function(z))`, elementwise; `steepest`, the sup of |slope|."""

    function: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor, Tensor], Tensor]
    steepest: float


def _gelu_slope(z: Tensor, _: Tensor) -> Tensor:
    density = torch.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    return 0.5 * (1 + torch.erf(z / math.sqrt(2))) + z * density


def _silu_slope(z: Tensor, x: Tensor) -> Tensor:
    gate = torch.sigmoid(z)
    return gate + x * (1 - gate)


def _leaky_relu_slope(z: Tensor, _: Tensor) -> Tensor:
    return torch.where(z > 0, torch.ones_like(z), LEAK)  # of two bare numbers it makes float32


# Below z = -17 the value of ELU and SELU rounds to their floor, but the slope is not yet 0.
def _elu_slope(z: Tensor, _: Tensor) -> Tensor:
    return z.clamp(max=0).exp()


def _selu_slope(z: Tensor, _: Tensor) -> Tensor:
    return torch.where(z > 0, SELU_SCALE, SELU_SCALE * SELU_ALPHA * z.clamp(max=0).exp())


# The sup of GELU's slope is at z = sqrt(2), that of SiLU's where its second derivative is 0.
ACTIVATIONS: dict[str, Activation] = {
    "sigmoid": Activation(torch.sigmoid, lambda z, x: x * (1 - x), 0.25),
    "tanh": Activation(torch.tanh, lambda z, x: 1 - x * x, 1.0),
    "relu": Activation(torch.relu, lambda z, x: (z > 0).to(z.dtype), 1.0),
    "leaky_relu": Activation(lambda z: F.leaky_relu(z, LEAK), _leaky_relu_slope, 1.0),
    "elu": Activation(F.elu, _elu_slope, 1.0),
    "selu": Activation(F.selu, _selu_slope, SELU_SCALE * SELU_ALPHA),
    "gelu": Activation(F.gelu, _gelu_slope, 1.1289041452),
    "silu": Activation(F.silu, _silu_slope, 1.0998393201),
    "softplus": Activation(F.softplus, lambda z, x: torch.sigmoid(z), 1.0),
    "hard_tanh": Activation(F.hardtanh, lambda z, x: (z.abs() < 1).to(z.dtype), 1.0),
    "linear": Activation(lambda z: z, lambda z, x: torch.ones_like(z), 1.0),
}
