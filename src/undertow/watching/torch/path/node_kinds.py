"""What a node of autograd's graph is to a gradient that crosses it: weights, an activation, a norm.

Everything else has the name of its operation and counts as a whole. To add a kind of weights or of
normalisation, write one line of a table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache

import torch
from torch import Tensor

from undertow.activations.selu import SELU_ALPHA, SELU_SCALE
from undertow.watching.torch.activation_nodes import CURVES, Node
from undertow.watching.torch.norms import Number, norm, numbers

# The exact split of a norm's gain needs the gradient itself: gamma / s has an entry a unit.
NORMS = ("NativeBatchNormBackward0", "CudnnBatchNormBackward0", "NativeLayerNormBackward0")
GROUP_NORM = "NativeGroupNormBackward0"
KEEP_GRADIENT = (*NORMS, GROUP_NORM)

# Node -> for each input that data may come by: where the other operand is, what is saved of it,
# and which of its dims the gradient comes from.
PRODUCTS: dict[str, dict[int, tuple[int, str, int]]] = {
    "AddmmBackward0": {1: (2, "_saved_mat2", -1), 2: (1, "_saved_mat1", -2)},
    "MmBackward0": {0: (1, "_saved_mat2", -1), 1: (0, "_saved_self", -2)},
    "BmmBackward0": {0: (1, "_saved_mat2", -1), 1: (0, "_saved_self", -2)},
    "BaddbmmBackward0": {1: (2, "_saved_batch2", -1), 2: (1, "_saved_batch1", -2)},
}
CONVOLUTIONS = ("ConvolutionBackward0", "MkldnnConvolutionBackward0")


# The norms of weights by where they lie and how many entries they have.
Known = Mapping[tuple[int, int], Number]


def weight_scale(
    node: Node, place: int, is_data: Callable[[Node | None], bool], known: Known
) -> float | None:
    """Return the gain of a node's weights for a gradient of any direction; None without weights.

    |W|_F / sqrt(n) where n units send the gradient: its square is the mean of |W^T g|^2 / |g|^2
    over directions. `is_data` tells of the other factor of a product, by the node that made it,
    whether it is data too.
    """
    name = node.name()
    if name in CONVOLUTIONS:
        if place != 0:
            return None
        weight: Tensor = node._saved_weight
        units = weight.shape[0]
        if getattr(node, "_saved_transposed", False):
            # Each input position is read at stride^-dims of the places of the output.
            units = weight.shape[1] * node._saved_groups * math.prod(node._saved_stride)
        return _norm(weight, known) / math.sqrt(max(units, 1))
    operand = PRODUCTS.get(name, {}).get(place)
    if operand is None:
        return None
    other, saved, dim = operand
    if is_data(node.next_functions[other][0]):
        return None
    weight = getattr(node, saved)
    units = weight.shape[dim] * (weight.shape[0] if weight.dim() == 3 else 1)
    return _norm(weight, known) / math.sqrt(max(units, 1))


def activation(node: Node) -> tuple[str, float, float] | None:
    """Return an activation's name, its largest slope, and its RMS slope on what it has seen."""
    curve = CURVES.get(node.name())
    if curve is None:
        return None
    kept = getattr(node, curve.saved).detach()
    name = _told_apart(curve.name, node)
    if curve.leak:
        above, leak = int((kept > 0).count_nonzero()), curve.leak(node)
        square = (above + leak**2 * (kept.numel() - above)) / max(kept.numel(), 1)
        return name, max(1.0, abs(leak)), math.sqrt(square)
    if kept.dtype in (torch.float16, torch.bfloat16):
        kept = kept.float()
    assert curve.slope
    largest = curve.largest(node) if callable(curve.largest) else curve.largest
    slope = _number(norm(curve.slope(kept, node))) / math.sqrt(max(kept.numel(), 1))
    return name, float(largest), slope


def _told_apart(name: str, node: Node) -> str:
    """Name an activation with its numbers, where they are not those that the theory knows it by."""
    if name == "elu":
        numbers_ = (node._saved_alpha, node._saved_scale, node._saved_input_scale)
        known = {(1.0, 1.0, 1.0): "elu", (SELU_ALPHA, SELU_SCALE, 1.0): "selu"}
        return known.get(numbers_, f"elu({numbers_[0]:g})")
    if name == "hard_tanh":
        ends = (node._saved_min_val, node._saved_max_val)
        known = {(-1.0, 1.0): "hard_tanh", (0.0, 6.0): "relu6"}
        return known.get(ends, f"hard_tanh({ends[0]:g}, {ends[1]:g})")
    if name == "leaky_relu" and (leak := node._saved_negative_slope) != 0.01:
        return f"leaky_relu({leak:g})"
    return name


def rescaling(node: Node, grad: Tensor) -> tuple[float, float]:
    """Return, of a normalisation, the RMS of gamma / s, and |gamma / s * gradient|."""
    scale = _scale(node, grad)
    ones = torch.ones((), dtype=grad.dtype, device=grad.device)
    whole = (scale * ones).expand_as(grad)
    entries = math.sqrt(max(grad.numel(), 1))
    return _number(norm(whole)) / entries, _number(norm(grad * scale))


def _scale(node: Node, grad: Tensor) -> Tensor:
    """Return gamma / s, in a shape that broadcasts with what the normalisation puts out."""
    gamma, name = node._saved_weight, node.name()
    if name == GROUP_NORM:
        samples, groups, channels = grad.shape[0], node._saved_group, grad.shape[1]
        inverse = node._saved_result2.view(samples, groups, 1)
        inverse = inverse.expand(-1, -1, channels // groups).reshape(samples, channels)
        scale = inverse if gamma is None else inverse * gamma
        return scale.detach().view(samples, channels, *[1] * (grad.dim() - 2))
    if name == "NativeLayerNormBackward0":
        inverse = node._saved_result2
        return (inverse if gamma is None else inverse * gamma).detach()
    if getattr(node, "_saved_training", True):
        inverse = node._saved_result2
    else:
        variance = node._saved_running_var
        epsilon = getattr(node, "_saved_eps", None)  # which cuDNN calls otherwise
        epsilon = node._saved_epsilon if epsilon is None else epsilon
        inverse = torch.rsqrt(variance + epsilon)
    scale = inverse if gamma is None else inverse * gamma
    return scale.detach().view(1, -1, *[1] * (grad.dim() - 2))


def operation(node: Node) -> str:
    """Name a node's operation in words.

    >>> operation(torch.ones(1, requires_grad=True).exp().grad_fn)
    'exp'
    """
    return _in_words(node.name())


@cache
def _in_words(name: str) -> str:
    name = name.removeprefix("torch::autograd::").rstrip("0123456789").removesuffix("Backward")
    words = "".join(f"_{each.lower()}" if each.isupper() else each for each in name)
    return words.lstrip("_").replace("2_d", "2d").replace("1_d", "1d").replace("3_d", "3d")


def _norm(weight: Tensor, known: Known) -> float:
    found = known.get((weight.data_ptr(), weight.numel()))
    return _number(norm(weight) if found is None else found)


def _number(value: Number) -> float:
    return value if isinstance(value, float) else float(numbers([value])[0])
