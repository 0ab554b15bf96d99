"""Where each weight of each replicate lies in one buffer.

One buffer, because an optimizer step is then five operations whatever the depth, and because layers
of one shape lie side by side and are measured together.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import prod
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from undertow.engine.common.initial_weights import initial_weights
from undertow.spec.network import NetworkSpec


class Parameters(NamedTuple):
    """R networks' parameters: views into `flat`, which is laid out as in `split`."""

    flat: Tensor  # [size]
    weights: list[Tensor]  # per layer [R, fan_out, fan_in], as `nn.Linear` has them
    biases: list[Tensor]  # per layer [R, fan_out, 1]
    scales: list[Tensor]  # per normalised layer [R, width, 1]; empty without them
    shifts: list[Tensor]
    hidden_weights: Tensor  # of the layers from the second hidden one to the last, in one
    hidden_biases: Tensor  # of all hidden layers, [depth, R, width]

    @property
    def leaves(self) -> list[Tensor]:
        """All views, in the order in which they lie in `flat`."""
        return [*self.weights, *self.biases, *self.scales, *self.shifts]


def initial_parameters(
    spec: NetworkSpec,
    seeds: list[int],
    dtype: torch.dtype,
    stage: int = 0,
    drawn_from: Sequence[NetworkSpec] | None = None,
) -> Parameters:
    """Draw the first parameters of one network a seed, by `spec` or by each one's `drawn_from`.

    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=3, width=10, activation="tanh")
    >>> initial_parameters(spec, [0, 1], torch.float32).flat.numel() == 2 * spec.parameters
    True
    """
    each = drawn_from or [spec] * len(seeds)
    draws = [initial_weights(by, seed, stage) for by, seed in zip(each, seeds, strict=True)]
    stacked = [
        *(np.stack([draw[layer][0].T for draw in draws]) for layer in range(spec.depth + 1)),
        *(np.stack([draw[layer][1] for draw in draws]) for layer in range(spec.depth + 1)),
    ]
    if spec.normalisation in ("batch", "layer"):
        shape = (len(seeds), spec.width)
        stacked += [np.ones(shape)] * spec.depth + [np.zeros(shape)] * spec.depth
    flat = torch.cat([torch.from_numpy(part.reshape(-1)).to(dtype) for part in stacked])
    return split(flat, spec, len(seeds))


def split(flat: Tensor, spec: NetworkSpec, replicates: int) -> Parameters:
    """View a buffer as the parameters of `replicates` networks, or as their gradient."""
    shapes = [(replicates, fan_out, fan_in) for fan_in, fan_out in spec.layer_shapes]
    columns = [(replicates, fan_out, 1) for _, fan_out in spec.layer_shapes]
    normalised = spec.depth if spec.normalisation in ("batch", "layer") else 0
    columns += [(replicates, spec.width, 1)] * (2 * normalised)
    views, start = [], 0
    for shape in (*shapes, *columns):
        size = prod(shape)
        views.append(flat[start : start + size].view(shape))
        start += size
    layers = len(shapes)
    norms = views[2 * layers :]
    between = flat[views[0].numel() :][: (spec.depth - 1) * replicates * spec.width**2]
    biases = flat[sum(view.numel() for view in views[:layers]) :]
    return Parameters(
        flat,
        views[:layers],
        views[layers : 2 * layers],
        norms[:normalised],
        norms[normalised:],
        between.view(-1, spec.width, spec.width),
        biases[: spec.depth * replicates * spec.width].view(spec.depth, replicates, spec.width),
    )


def weight_blocks(flat: Tensor, spec: NetworkSpec, replicates: int) -> list[Tensor]:
    """View the weights in [..., size] as [..., layers, R, fan_out, fan_in], one block a shape.

    A block holds a run of consecutive layers of equal shape; together they hold every layer once,
    in order.
    """
    blocks, start = [], 0
    for (fan_in, fan_out), run in groupby(spec.layer_shapes):
        shape = (len(list(run)), replicates, fan_out, fan_in)
        size = prod(shape)
        blocks.append(flat[..., start : start + size].unflatten(-1, shape))
        start += size
    return blocks
