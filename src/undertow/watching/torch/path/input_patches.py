"""How large what a layer reads is, a sample and position at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from undertow.watching.torch.norms import norms, numbers

_CONVOLUTIONS = {nn.Conv1d: F.conv1d, nn.Conv2d: F.conv2d, nn.Conv3d: F.conv3d}


class InputSize(NamedTuple):
    """The root mean square of the norm of what is read at once, and how many times it is read."""

    size: float
    rows: int


def input_sizes(
    read: Sequence[tuple[Any, Tensor, tuple[int, ...]]],
) -> list[InputSize | None]:
    """Measure what linear layers and convolutions read; None for other layers.

    Of each its module, its input and the shape of its output. A convolution reads a patch at each
    position of its output.

    >>> [found] = input_sizes([(nn.Linear(4, 2), torch.ones(3, 4), (3, 2))])
    >>> round(found.size, 6), found.rows
    (2.0, 3)
    """
    found: list[InputSize | None] = [_patches(*each) for each in read]
    forward = nn.Linear.forward  # and not what a class made of it
    linear = [i for i, (module, *_) in enumerate(read) if type(module).forward is forward]
    sizes = numbers(norms([read[i][1] for i in linear])).tolist()
    for i, size in zip(linear, sizes, strict=True):
        inputs = read[i][1]
        rows = inputs.numel() // max(inputs.shape[-1], 1)
        found[i] = InputSize(size / math.sqrt(max(rows, 1)), rows)
    return found


def _patches(module: Any, inputs: Tensor, outputs: tuple[int, ...]) -> InputSize | None:
    convolution = _CONVOLUTIONS.get(type(module))
    if convolution is None or module.groups != 1 or module.padding_mode != "zeros":
        return None
    dims = len(module.kernel_size)
    rows = math.prod(outputs) // outputs[-1 - dims]
    squares = inputs.double().square().sum(-1 - dims, keepdim=True)
    ones = torch.ones(1, 1, *module.kernel_size, dtype=torch.float64, device=inputs.device)
    options = (module.stride, module.padding, module.dilation)
    total = float(convolution(squares, ones, None, *options).sum())
    return InputSize(math.sqrt(total / max(rows, 1)), rows)
