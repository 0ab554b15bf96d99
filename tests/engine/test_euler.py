"""Euler's identity: in a bias-free ReLU network <W, dE/dW> is the same number in every layer.

It holds for any loss and batch (a homogeneous function's derivative along its argument is the
function), so a ratio of weight gradients between the first and the last layer cannot see deltas
vanish.
"""

from __future__ import annotations

import pytest
import torch

from undertow.engine.common.losses import derivative
from undertow.engine.common.normalisation import running_statistics
from undertow.engine.common.parameters import initial_parameters
from undertow.engine.torch.buffers import step_buffers
from undertow.engine.torch.forward_backward import backward, forward
from undertow.spec.network import NetworkSpec

SEEDS = [0, 1, 2]


def products_and_deltas(activation: str, initialisation: str) -> tuple[torch.Tensor, torch.Tensor]:
    """<W, dE/dW> and |delta| of every layer, [layers, R] each."""
    spec = NetworkSpec(
        inputs=6,
        outputs=4,
        depth=8,
        width=40,
        activation=activation,
        initialisation=initialisation,
    )
    parameters = initial_parameters(spec, SEEDS, torch.float64)
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(3, 6, 16, generator=random, dtype=torch.float64)
    targets = torch.randint(4, (3, 16), generator=random)
    at = step_buffers(spec, 3, 16, torch.float64).each[0]
    running = running_statistics(spec, 3, torch.float64)
    forward(spec, parameters, running, inputs, at, training=True)
    derivative("cross_entropy", at.logits, targets, at.last_delta)
    backward(spec, parameters, inputs, at)
    pairs = zip(parameters.weights, at.gradient.weights, strict=True)
    inner = torch.stack([(weights * gradient).sum((1, 2)) for weights, gradient in pairs])
    return inner, at.deltas.square().sum((2, 3)).sqrt()


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "linear"])
@pytest.mark.parametrize("initialisation", ["he_normal", "glorot_uniform", "normal(0.3)"])
def test_every_layer_has_the_same_product(activation: str, initialisation: str):
    inner, _ = products_and_deltas(activation, initialisation)
    torch.testing.assert_close(inner, inner[:1].expand_as(inner), rtol=1e-9, atol=0.0)


def test_it_holds_while_deltas_vanish():
    inner, deltas = products_and_deltas("relu", "normal(0.05)")
    assert (deltas[0] / deltas[-1] < 1e-3).all()
    torch.testing.assert_close(inner[0], inner[-1], rtol=1e-9, atol=0.0)


def test_it_does_not_hold_for_tanh():
    inner, _ = products_and_deltas("tanh", "he_normal")
    assert ((inner - inner[:1]).abs().amax(0) > 0.01 * inner[0].abs()).all()
