"""What the gradient crosses in R networks at once, from the last hidden layer to the first.

For `undertow explain RUN`: one batch, in float64, written beside the pass that trains and held to
autograd by the tests.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from undertow.engine.common.activations import ACTIVATIONS
from undertow.engine.common.gradient_rules import transform_gradient
from undertow.engine.common.losses import derivative
from undertow.engine.common.normalisation import KINDS
from undertow.engine.common.parameters import Parameters
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.trace.gradient_path import Factor, GradientPath


class _Layer(NamedTuple):
    """One hidden layer's numbers, [R, width, batch] each."""

    preactivation: Tensor
    activation: Tensor
    standard: Tensor | None  # after a normalisation, before its scale and shift
    rescale: Tensor | None  # 1 / standard deviation


def gradient_path(
    spec: NetworkSpec,
    training: TrainingSpec,
    parameters: Parameters,
    inputs: Tensor,
    targets: Tensor,
) -> GradientPath:
    """Measure what a batch's gradient crosses: inputs [R, features, batch], targets [R, batch].

    >>> from undertow.engine.common.parameters import initial_parameters
    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=3, width=10, activation="tanh")
    >>> parameters = initial_parameters(spec, [0, 1], torch.float32)
    >>> batch = torch.ones(2, 2, 8), torch.zeros(2, 8, dtype=torch.long)
    >>> path = gradient_path(spec, TrainingSpec(epochs=1), parameters, *batch)
    >>> [each.kind for each in path.factors]
    ['weights', 'activation', 'weights', 'activation']
    """
    weights = [each.double() for each in parameters.weights]
    layers, logits = _forward(spec, parameters, weights, inputs.double())
    delta = torch.empty_like(logits)
    derivative(training.loss, logits, targets, delta)
    factors: list[Factor] = []
    deltas: dict[int, Tensor] = {}
    skipped: dict[int, Tensor] = {}
    for layer in reversed(range(spec.depth)):
        found, delta = _back(spec, parameters, weights, layers, layer, delta, skipped)
        deltas[layer] = _norm(delta)
        if layer < spec.depth - 1:  # the path begins at the last hidden layer's delta
            factors += found
    name = "hidden_{}".format
    return GradientPath(
        name(1),
        name(spec.depth),
        tuple(factors),
        deltas[0].numpy(),
        deltas[spec.depth - 1].numpy(),
        {name(layer + 1): spec.activation for layer in range(spec.depth)},
        replicates=len(logits),
    )


def _forward(
    spec: NetworkSpec, parameters: Parameters, weights: list[Tensor], x: Tensor
) -> tuple[list[_Layer], Tensor]:
    layers: list[_Layer] = []
    reads: list[Tensor] = []
    for layer in range(spec.depth):
        z = weights[layer] @ x + parameters.biases[layer]
        standard = rescale = None
        if spec.normalisation != "none":
            dims, correction, epsilon = KINDS[spec.normalisation]
            variance, mean = torch.var_mean(z, dims, correction=correction, keepdim=True)
            rescale = torch.rsqrt(variance + epsilon)
            z = standard = (z - mean) * rescale
            if parameters.scales:
                z = parameters.shifts[layer] + parameters.scales[layer] * standard
        x = ACTIVATIONS[spec.activation].function(z)
        layers.append(_Layer(z, x, standard, rescale))
        starts = [start for start, end in spec.skips if end == layer + 1]
        if starts:
            x = spec.branch_scale * x + sum(reads[start - 1] for start in starts)
        reads.append(x)
    return layers, weights[-1] @ x + parameters.biases[-1]


def _back(
    spec: NetworkSpec,
    parameters: Parameters,
    weights: list[Tensor],
    layers: list[_Layer],
    layer: int,
    delta: Tensor,
    skipped: dict[int, Tensor],
) -> tuple[list[Factor], Tensor]:
    """Carry delta from the layer above to this one; list what it crosses."""
    row, above = f"hidden_{layer + 1}", f"hidden_{layer + 2}"
    found: list[Factor] = []

    def cross(kind: str, where: str, before: Tensor, after: Tensor, **numbers: Tensor) -> Tensor:
        ends = (_norm(before).numpy(), _norm(after).numpy())
        plain = {name: number.numpy() for name, number in numbers.items()}
        found.append(Factor(row, where, kind, *ends, plain))
        return after

    above_weights = weights[layer + 1]
    scale = _norm(above_weights) / math.sqrt(above_weights.shape[1])
    arriving = cross("weights", above, delta, above_weights.mT @ delta, scale=scale)
    if layer in skipped:
        arriving = cross("skip", "around a branch", arriving, arriving + skipped.pop(layer))
    starts = [start - 1 for start, end in spec.skips if end == layer + 1]
    for start in starts:
        skipped[start] = skipped.get(start, 0) + arriving
    if starts and spec.branch_scale != 1:
        arriving = cross("other", "branch scale", arriving, arriving * spec.branch_scale)
    if spec.gradient != "plain":
        changed = arriving.clone()
        transform_gradient(spec.gradient, changed)
        arriving = cross("other", f"gradient {spec.gradient}", arriving, changed)
    activation, here = ACTIVATIONS[spec.activation], layers[layer]
    slope = activation.slope(here.preactivation, here.activation)
    numbers = {
        "largest": torch.full((len(slope),), activation.steepest, dtype=torch.float64),
        "slope_rms": _norm(slope) / math.sqrt(slope[0].numel()),
    }
    delta = cross("activation", spec.activation, arriving, arriving * slope, **numbers)
    if here.standard is not None and here.rescale is not None:
        gamma = parameters.scales[layer].double() if parameters.scales else torch.ones(1)
        scaled = delta * gamma * here.rescale
        share = (gamma * here.rescale).expand_as(delta)
        numbers = {
            "scale_rms": _norm(share) / math.sqrt(delta[0].numel()),
            "scaled": _norm(scaled),
        }
        through = _through_norm(spec, delta * gamma, here)
        delta = cross("norm", f"{spec.normalisation} norm", delta, through, **numbers)
    return found, delta


def _through_norm(spec: NetworkSpec, grad: Tensor, here: _Layer) -> Tensor:
    """Take a gradient from a normalisation's standardised output to its input."""
    assert here.standard is not None
    assert here.rescale is not None
    dims, correction, _ = KINDS[spec.normalisation]
    count = math.prod(grad.shape[dim] for dim in dims)
    share = (grad * here.standard).sum(dims, keepdim=True) / max(count - correction, 1)
    return (grad - grad.mean(dims, keepdim=True) - here.standard * share) * here.rescale


def _norm(block: Tensor) -> Tensor:
    return torch.linalg.vector_norm(block, dim=(-2, -1), dtype=torch.float64)
