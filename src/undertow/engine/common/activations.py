"""The activation functions of the PyTorch engine: value, slope, and the way back through them.

Each writes into `out` where one is given, so that a step allocates nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from undertow.activations.activation import Activation, Elementwise, find, largest_slope
from undertow.activations.selu import SELU_ALPHA, SELU_SCALE
from undertow.spec.names import ACTIVATIONS as NAMES

LEAK = 0.01


class TensorActivation(NamedTuple):
    """`function(z)`; `slope(z, function(z))`, elementwise; `steepest`, the sup of |slope|.

    `back(delta, z, function(z))` multiplies `delta` by the slope in place, in one pass over memory
    where PyTorch has one; None stands for two.
    """

    function: Callable[..., Tensor]
    slope: Callable[..., Tensor]
    steepest: float
    back: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None

    def carry(self, delta: Tensor, z: Tensor, x: Tensor) -> Tensor:
        """Carry dE/dx to dE/dz, in place."""
        return self.back(delta, z, x) if self.back else delta.mul_(self.slope(z, x))


Back = Callable[[Tensor, Tensor, Tensor], Tensor]
Forms = tuple[Callable[..., Tensor], Callable[..., Tensor], Back | None]


def _write_to(found: Tensor, out: Tensor | None) -> Tensor:
    return found if out is None else out.copy_(found)


def _into(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Give `out` to a function that has none."""

    def written(*arguments: Tensor, out: Tensor | None = None) -> Tensor:
        return _write_to(function(*arguments), out)

    return written


def _one(z: Tensor) -> Tensor:
    return torch.ones((), dtype=z.dtype)


def _relu(z: Tensor, *, out: Tensor | None = None) -> Tensor:
    return torch.clamp_min(z, 0, out=out)


def _leaky_relu(z: Tensor, *, out: Tensor | None = None) -> Tensor:
    return torch.maximum(z, LEAK * z, out=out)


def _hard_tanh(z: Tensor, *, out: Tensor | None = None) -> Tensor:
    return torch.clamp(z, -1, 1, out=out)


def _sigmoid_slope(_: Tensor, x: Tensor, *, out: Tensor | None = None) -> Tensor:
    return torch.sub(_one(x), x, out=out).mul_(x)


def _tanh_slope(_: Tensor, x: Tensor, *, out: Tensor | None = None) -> Tensor:
    return torch.addcmul(_one(x), x, x, value=-1, out=out)


# A comparison writes its 0 and 1 into numbers: tensors of bool are several times slower.
def _relu_slope(z: Tensor, _: Tensor, *, out: Tensor | None = None) -> Tensor:
    return torch.gt(z, 0, out=torch.empty_like(z) if out is None else out)


def _leaky_relu_slope(z: Tensor, _: Tensor, *, out: Tensor | None = None) -> Tensor:
    return _relu_slope(z, _, out=out).clamp_min_(LEAK)


def _hard_tanh_slope(z: Tensor, _: Tensor, *, out: Tensor | None = None) -> Tensor:
    return torch.lt(z.abs(), 1, out=torch.empty_like(z) if out is None else out)


def _sigmoid_back(delta: Tensor, _: Tensor, x: Tensor) -> Tensor:
    return torch.ops.aten.sigmoid_backward.grad_input(delta, x, grad_input=delta)


def _tanh_back(delta: Tensor, _: Tensor, x: Tensor) -> Tensor:
    return torch.ops.aten.tanh_backward.grad_input(delta, x, grad_input=delta)


def _relu_back(delta: Tensor, z: Tensor, _: Tensor) -> Tensor:
    return torch.ops.aten.threshold_backward.grad_input(delta, z, 0, grad_input=delta)


def _gelu_slope(z: Tensor, _: Tensor) -> Tensor:
    density = torch.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    return 0.5 * (1 + torch.erf(z / math.sqrt(2))) + z * density


def _silu_slope(z: Tensor, x: Tensor) -> Tensor:
    gate = torch.sigmoid(z)
    return gate + x * (1 - gate)


# Below z = -17 the value of ELU and SELU rounds to their floor, but the slope is not yet 0.
def _elu_slope(z: Tensor, _: Tensor) -> Tensor:
    return z.clamp(max=0).exp()


def _selu_slope(z: Tensor, _: Tensor) -> Tensor:
    return torch.where(z > 0, SELU_SCALE, SELU_SCALE * SELU_ALPHA * z.clamp(max=0).exp())


FAST: dict[str, Forms] = {
    "sigmoid": (torch.sigmoid, _sigmoid_slope, _sigmoid_back),
    "tanh": (torch.tanh, _tanh_slope, _tanh_back),
    "relu": (_relu, _relu_slope, _relu_back),
    "leaky_relu": (_leaky_relu, _leaky_relu_slope, None),
    "elu": (_into(F.elu), _into(_elu_slope), None),
    "selu": (_into(F.selu), _into(_selu_slope), None),
    "gelu": (_into(F.gelu), _into(_gelu_slope), None),
    "silu": (_into(F.silu), _into(_silu_slope), None),
    "softplus": (_into(F.softplus), _into(lambda z, x: torch.sigmoid(z)), None),
    "hard_tanh": (_hard_tanh, _hard_tanh_slope, None),
    "linear": (_into(lambda z: z), _into(lambda z, x: torch.ones_like(z)), None),
}


def through_numpy(function: Elementwise) -> Callable[..., Tensor]:
    """Make a function of arrays one of tensors, that writes into `out` where one is given.

    >>> through_numpy(np.sin)(torch.zeros(2))
    tensor([0., 0.])
    """

    def of_tensors(z: Tensor, *_: Tensor, out: Tensor | None = None) -> Tensor:
        found = np.array(function(z.numpy(force=True).astype(np.float64)), np.float64)
        return _write_to(torch.from_numpy(found).to(z.dtype), out)

    return of_tensors


def _in_tensors(phi: Activation) -> TensorActivation:
    plain = through_numpy(phi.value), through_numpy(phi.slope), None
    function, slope, back = FAST.get(phi.name, plain)
    return TensorActivation(function, slope, largest_slope(phi), back)


# What has no tensor form of its own takes its NumPy value and slope: slower, and trained at once.
ACTIVATIONS: dict[str, TensorActivation] = {name: _in_tensors(find(name)) for name in NAMES}
