"""The buffers that a step of R networks is written into: allocated once, used for every step.

Several steps lie side by side, and in each the layers, so that what is measured of all of them is
measured in one call. Activations are [R, features, batch]: with samples last, PyTorch's batched
products of small matrices run three to four times faster than with features last
(docs/performance.md).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from undertow.engine.common.normalisation import Normed, room
from undertow.engine.common.parameters import Parameters, split
from undertow.spec.network import NetworkSpec


class LayerBuffers(NamedTuple):
    """One hidden layer's part of a pass, [R, width, batch]."""

    output: Tensor  # of the linear map
    preactivation: Tensor  # the output, normalised where the spec says so
    activation: Tensor  # the activation function's values
    read: Tensor  # what the next layer reads: the activation and the skips that end here
    delta: Tensor  # dE/d output
    normed: Normed | None


class Pass(NamedTuple):
    """One step's forward and backward pass; stacked tensors are [layers, R, width, batch]."""

    layers: list[LayerBuffers]
    preactivations: Tensor
    activations: Tensor
    reads: Tensor
    deltas: Tensor
    logits: Tensor  # [R, outputs, batch]
    last_delta: Tensor
    gradient: Parameters
    weights: Tensor  # before the update, [size]
    update: Parameters


class StepBuffers(NamedTuple):
    """The passes of several steps, and what is measured of them together."""

    each: list[Pass]
    hidden: Tensor  # [KINDS, steps, layers, R, width, batch]
    last: Tensor  # logits and their deltas, [2, steps, R, outputs, batch]
    flats: Tensor  # gradient, weights and update, [3, steps, size]


KINDS = ("preactivation", "activation", "delta")


def step_buffers(
    spec: NetworkSpec,
    replicates: int,
    batch: int,
    dtype: torch.dtype,
    steps: int = 1,
    *,
    scratch: bool = False,
) -> StepBuffers:
    """Make room for `steps` passes over batches of `batch` samples.

    With `scratch`, all layers share one layer's room: enough where only the logits are wanted.

    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=3, width=10, activation="tanh")
    >>> step_buffers(spec, 5, 32, torch.float32, steps=2).hidden.shape
    torch.Size([3, 2, 3, 5, 10, 32])
    """
    shape = (spec.depth, replicates, spec.width, batch)
    hidden = _empty((len(KINDS), steps, *shape), dtype, scratch)
    last = torch.empty((2, steps, replicates, spec.outputs, batch), dtype=dtype)
    flats = torch.empty((3, steps, replicates * spec.parameters), dtype=dtype)
    each = []
    for step in range(steps):
        preactivations, activations, deltas = hidden[:, step].unbind()
        # Only what differs from another tensor of the pass has room of its own.
        outputs = _empty(shape, dtype, scratch) if spec.normalisation != "none" else preactivations
        reads = torch.empty(shape, dtype=dtype) if spec.skips else activations
        gradient, weights, update = flats[:, step].unbind()
        each.append(
            Pass(
                _layers(spec, outputs, preactivations, activations, reads, deltas),
                preactivations,
                activations,
                reads,
                deltas,
                last[0, step],
                last[1, step],
                split(gradient, spec, replicates),
                weights,
                split(update, spec, replicates),
            )
        )
    return StepBuffers(each, hidden, last, flats)


def _empty(shape: tuple[int, ...], dtype: torch.dtype, scratch: bool) -> Tensor:
    *before, layers, replicates, width, batch = shape
    room = torch.empty((*before, 1 if scratch else layers, replicates, width, batch), dtype=dtype)
    return room.expand(shape)


def _layers(spec: NetworkSpec, *stacks: Tensor) -> list[LayerBuffers]:
    return [
        LayerBuffers(
            output, preactivation, *others, room(spec.normalisation, output, preactivation)
        )
        for output, preactivation, *others in zip(*stacks, strict=True)
    ]
