"""The slopes of activation functions, read off the nodes that autograd leaves of them.

An activation is found by its node in the graph, whether it was called as a module, as a function or
in place; what the node keeps for the backward pass (its input z or its output x) gives the slope.
To add one, write one line of the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from undertow.activations.activation import largest_slope
from undertow.trace.schema import SATURATED_BELOW
from undertow.watching.torch.norms import Number, norm

Node = Any  # a node of autograd's graph has no public class


class Curve(NamedTuple):
    """An activation function as autograd keeps it.

    `saved` names what the node keeps; `slope` and `value` take that tensor and the node. Where the
    slope is `leak` below a kink at 0 and 1 above, counting signs is all it takes.
    """

    name: str
    saved: str
    largest: float | Callable[[Node], float]
    slope: Callable[[Tensor, Node], Tensor] | None = None
    value: Callable[[Tensor, Node], Tensor] | None = None
    leak: Callable[[Node], float] | None = None


class ActivationSlopes(NamedTuple):
    """What an activation does to one batch; sums over all (unit, sample) pairs.

    `activity` has an entry a unit, 0 where the unit's slope is 0 for every sample. With a kink it
    counts the samples above it, and `slope_norm` and `saturated` follow from it.
    """

    name: str
    pairs: int
    value_norm: Number
    slope_norm: Number
    saturated: Number
    activity: Tensor
    leak: float | None = None


def _tanh(x: Tensor, _: Node) -> Tensor:
    return 1 - x * x


def _sigmoid(x: Tensor, _: Node) -> Tensor:
    return x * (1 - x)


def _elu(z: Tensor, node: Node) -> Tensor:
    below = node._saved_alpha * node._saved_input_scale * torch.exp(z * node._saved_input_scale)
    return node._saved_scale * torch.where(z > 0, 1.0, below)


def _alpha(node: Node) -> float:
    return float(node._saved_alpha)


def _gelu(z: Tensor, node: Node) -> Tensor:
    if node._saved_approximate == "tanh":
        inner = math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)
        t = torch.tanh(inner)
        bend = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z * z)
        return 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * bend
    return torch.special.ndtr(z) + z * torch.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def _silu(z: Tensor, _: Node) -> Tensor:
    s = torch.sigmoid(z)
    return s * (1 + z * (1 - s))


def _mish(z: Tensor, _: Node) -> Tensor:
    t = torch.tanh(F.softplus(z))
    return t + z * torch.sigmoid(z) * (1 - t * t)


def _hard_tanh(z: Tensor, node: Node) -> Tensor:
    return ((z > node._saved_min_val) & (z < node._saved_max_val)).to(z.dtype)


def _hard_swish(z: Tensor, _: Node) -> Tensor:
    return torch.where(z < -3, 0.0, torch.where(z > 3, 1.0, (2 * z + 3) / 6))


CURVES: dict[str, Curve] = {
    "ReluBackward0": Curve("relu", "_saved_result", 1.0, leak=lambda _: 0.0),
    "LeakyReluBackward0": Curve(
        "leaky_relu",
        "_saved_self",
        1.0,
        value=lambda z, node: F.leaky_relu(z, node._saved_negative_slope),
        leak=lambda node: node._saved_negative_slope,
    ),
    "LeakyReluBackward1": Curve(
        "leaky_relu", "_saved_result", 1.0, leak=lambda node: node._saved_negative_slope
    ),
    "SigmoidBackward0": Curve("sigmoid", "_saved_result", largest_slope("sigmoid"), _sigmoid),
    "TanhBackward0": Curve("tanh", "_saved_result", largest_slope("tanh"), _tanh),
    "EluBackward0": Curve(
        "elu",
        "_saved_self",
        lambda node: node._saved_scale * max(1.0, abs(node._saved_alpha * node._saved_input_scale)),
        _elu,
        lambda z, node: torch.where(
            z > 0,
            node._saved_scale * z,
            node._saved_scale * node._saved_alpha * torch.expm1(z * node._saved_input_scale),
        ),
    ),
    "CeluBackward0": Curve(
        "celu",
        "_saved_self",
        1.0,
        lambda z, node: torch.where(z > 0, 1.0, torch.exp(z / _alpha(node))),
        lambda z, node: F.celu(z, _alpha(node)),
    ),
    "GeluBackward0": Curve(
        "gelu",
        "_saved_self",
        largest_slope("gelu"),
        _gelu,
        lambda z, node: F.gelu(z, approximate=node._saved_approximate),
    ),
    "SiluBackward0": Curve(
        "silu", "_saved_self", largest_slope("silu"), _silu, lambda z, _: z * torch.sigmoid(z)
    ),
    "SoftplusBackward0": Curve(
        "softplus",
        "_saved_self",
        largest_slope("softplus"),
        lambda z, node: torch.sigmoid(z * node._saved_beta),
        lambda z, node: F.softplus(z, node._saved_beta, node._saved_threshold),
    ),
    "HardtanhBackward0": Curve(
        "hard_tanh",
        "_saved_self",
        largest_slope("hard_tanh"),
        _hard_tanh,
        lambda z, node: z.clamp(node._saved_min_val, node._saved_max_val),
    ),
    "HardswishBackward0": Curve(
        "hard_swish", "_saved_self", 1.5, _hard_swish, lambda z, _: F.hardswish(z)
    ),
    "MishBackward0": Curve(
        "mish", "_saved_self", largest_slope("mish"), _mish, lambda z, _: F.mish(z)
    ),
}


@cache
def _others(dims: int, unit_dim: int) -> tuple[int, ...]:
    """Return the dims along which a unit's samples and positions lie."""
    return tuple(dim for dim in range(dims) if dim != unit_dim % dims)


def slopes(curve: Curve, node: Node, unit_dim: int) -> ActivationSlopes:
    """Measure an activation on the batch that its node has seen."""
    kept = getattr(node, curve.saved).detach()
    name = curve.name
    if name == "hard_tanh" and node._saved_min_val >= 0:
        name = "relu6"  # the same node, but half of its inputs may lie on its flat side
    if kept.dtype in (torch.float16, torch.bfloat16):
        kept = kept.float()
    value = curve.value(kept, node) if curve.value else kept
    kept = kept[None] if kept.dim() < 2 else kept  # a sample without a batch
    others = _others(kept.dim(), unit_dim)
    pairs = kept.numel()
    if curve.leak:
        positive = torch.sign(kept) if curve.name == "relu" else (kept > 0).to(kept.dtype)
        counts = positive.sum(others)
        return ActivationSlopes(name, pairs, norm(value), 0.0, 0.0, counts, curve.leak(node))
    assert curve.slope
    slope = curve.slope(kept, node).abs()
    largest = curve.largest(node) if callable(curve.largest) else curve.largest
    flat = (slope < SATURATED_BELOW * largest).sum()
    flat = flat.item() if flat.is_cpu else flat
    return ActivationSlopes(name, pairs, norm(value), norm(slope), flat, slope.amax(others))
