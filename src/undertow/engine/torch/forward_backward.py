"""R networks at once: the forward pass, and the backward pass written beside it.

By hand rather than by autograd, which would keep a graph of a hundred small nodes a step and could
not write into the buffers that are measured (docs/decisions/0011). Every formula is held to
autograd by the tests.
"""

from __future__ import annotations

import torch
from torch import Tensor

from undertow.engine.common.activations import ACTIVATIONS
from undertow.engine.common.gradient_rules import transform_gradient
from undertow.engine.common.normalisation import Running, back, normalise
from undertow.engine.common.parameters import Parameters
from undertow.engine.torch.buffers import Pass
from undertow.engine.torch.matmul import product, shifted_product
from undertow.spec.network import NetworkSpec


def forward(
    spec: NetworkSpec,
    parameters: Parameters,
    running: Running,
    inputs: Tensor,
    at: Pass,
    *,
    training: bool,
) -> Tensor:
    """Run R networks on their batches, [R, inputs, batch] -> logits [R, outputs, batch].

    >>> from undertow.engine.common.normalisation import running_statistics
    >>> from undertow.engine.common.parameters import initial_parameters
    >>> from undertow.engine.torch.buffers import step_buffers
    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=3, width=10, activation="tanh")
    >>> parameters = initial_parameters(spec, [0, 1, 2, 3, 4], torch.float32)
    >>> at = step_buffers(spec, 5, 32, torch.float32).each[0]
    >>> running = running_statistics(spec, 5, torch.float32)
    >>> forward(spec, parameters, running, torch.zeros(5, 2, 32), at, training=True).shape
    torch.Size([5, 1, 32])
    """
    activate = ACTIVATIONS[spec.activation].function
    starts = _starts(spec)
    x = inputs
    for layer, here in enumerate(at.layers):
        weights, biases = parameters.weights[layer], parameters.biases[layer]
        shifted_product(biases, weights, x, out=here.output)
        if here.normed:
            normalise(
                spec.normalisation,
                parameters,
                running,
                layer,
                here.output,
                here.normed,
                here.preactivation,
                training=training,
            )
        x = activate(here.preactivation, out=here.activation)
        if spec.skips:
            here.read.copy_(x)
            x = here.read
            for place, start in enumerate(starts.get(layer, ())):
                if place == 0:
                    x.mul_(spec.branch_scale)
                x.add_(at.layers[start].read)
    return shifted_product(parameters.biases[-1], parameters.weights[-1], x, out=at.logits)


def backward(spec: NetworkSpec, parameters: Parameters, inputs: Tensor, at: Pass) -> None:
    """Carry `at.last_delta`, dE/d logits, back to every layer and every parameter.

    Fills `at.deltas` and `at.gradient`. One layer down, dE/dx = W^T delta, delta =
    slope dE/dx; dE/dW = delta x^T, summed over the batch (Rumelhart, Hinton and Williams 1986,
    doi:10.1038/323533a0).
    """
    activation, starts = ACTIVATIONS[spec.activation], _starts(spec)
    skipped: dict[int, Tensor] = {}  # layer -> what arrives there over skips, dE/d read
    delta = at.last_delta
    for layer in reversed(range(spec.depth)):
        here = at.layers[layer]
        arriving = product(parameters.weights[layer + 1].mT, delta, out=here.delta)
        if layer in skipped:
            arriving.add_(skipped.pop(layer))
        if layer in starts:
            for start in starts[layer]:
                skipped[start] = skipped.get(start, 0) + arriving
            arriving.mul_(spec.branch_scale)
        if spec.gradient != "plain":
            transform_gradient(spec.gradient, arriving)
        delta = activation.carry(arriving, here.preactivation, here.activation)
        if here.normed:
            back(spec.normalisation, parameters, at.gradient, layer, here.normed, delta)
    _parameter_gradients(inputs, at)


def _parameter_gradients(inputs: Tensor, at: Pass) -> None:
    gradient = at.gradient
    product(at.deltas[0], inputs.mT, out=gradient.weights[0])
    if len(at.layers) > 1:  # all of one shape, so all in one product
        product(
            at.deltas[1:].flatten(0, 1), at.reads[:-1].flatten(0, 1).mT, out=gradient.hidden_weights
        )
    product(at.last_delta, at.reads[-1].mT, out=gradient.weights[-1])
    torch.sum(at.deltas, -1, out=gradient.hidden_biases)
    torch.sum(at.last_delta, -1, keepdim=True, out=gradient.biases[-1])


def _starts(spec: NetworkSpec) -> dict[int, list[int]]:
    """Layers at which skips end, with those where they start, all counted from 0."""
    starts: dict[int, list[int]] = {}
    for start, end in spec.skips:
        starts.setdefault(end - 1, []).append(start - 1)
    return starts
