"""The backward pass written by hand against autograd, for any network there is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.engine.plain_torch import PlainNetwork, plain_loss
from undertow.engine.common.losses import derivative
from undertow.engine.common.normalisation import running_statistics
from undertow.engine.common.parameters import initial_parameters
from undertow.engine.torch.buffers import Pass, step_buffers
from undertow.engine.torch.forward_backward import backward, forward
from undertow.spec.names import ACTIVATIONS, GRADIENTS, LOSSES, NORMALISATIONS
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec

SEEDS = [3, 1, 4]
CLOSE = 1e-9  # of the whole tensor; float64 gives some 1e-15 a product


@st.composite
def specs(draw: st.DrawFn) -> tuple[NetworkSpec, TrainingSpec]:
    depth, loss = draw(st.integers(1, 5)), draw(st.sampled_from(LOSSES))
    pairs = [(start, end) for end in range(2, depth + 1) for start in range(1, end)]
    normalisation = draw(st.sampled_from(NORMALISATIONS))
    # Normalised over two numbers, a gradient is rounding alone, and the rules would blow it up.
    rules = GRADIENTS if normalisation == "none" else GRADIENTS[:1]
    skips = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=4)) if pairs else []
    spec = NetworkSpec(
        inputs=draw(st.integers(1, 4)),
        outputs=1 if loss == "binary_cross_entropy" else draw(st.integers(2, 4)),
        depth=depth,
        width=draw(st.integers(2, 6)),
        activation=draw(st.sampled_from(ACTIVATIONS)),
        initialisation="scaled_normal(1.5, 0.2)",
        normalisation=normalisation,
        skips=tuple(skips),
        branch_scale=draw(st.sampled_from([0.0, 0.4, 1.0])),
        gradient=draw(st.sampled_from(rules)),
    )
    return spec, TrainingSpec(loss=loss)


def by_hand(spec: NetworkSpec, training: TrainingSpec, inputs: Tensor, targets: Tensor) -> Pass:
    parameters = initial_parameters(spec, SEEDS, torch.float64)
    running = running_statistics(spec, len(SEEDS), torch.float64)
    at = step_buffers(spec, len(SEEDS), inputs.shape[1], torch.float64).each[0]
    forward(spec, parameters, running, inputs.mT, at, training=True)
    derivative(training.loss, at.logits, targets, at.last_delta)
    backward(spec, parameters, inputs.mT, at)
    return at


def differences(
    spec: NetworkSpec, training: TrainingSpec, batch: int, data_seed: int
) -> dict[str, float]:
    """Largest difference of each kind from autograd's, as a share of the tensor's largest entry."""
    random = np.random.default_rng(data_seed)
    inputs = torch.from_numpy(random.standard_normal((len(SEEDS), batch, spec.inputs)))
    targets = torch.from_numpy(random.integers(max(2, spec.outputs), size=(len(SEEDS), batch)))
    at = by_hand(spec, training, inputs, targets)
    found: dict[str, float] = {}

    def compare(kind: str, ours: Tensor, theirs: Tensor | None, whole: Tensor) -> None:
        assert theirs is not None
        difference = (ours - theirs.reshape(ours.shape)).abs().max() / whole.abs().max()
        found[kind] = max(found.get(kind, 0.0), float(difference))

    for place, seed in enumerate(SEEDS):
        network = PlainNetwork(spec, seed, torch.float64)
        logits = network(inputs[place])
        for output in network.outputs:
            output.retain_grad()
        plain_loss(training, logits, targets[place]).backward()
        deltas = [layer.delta[place] for layer in at.layers] + [at.last_delta[place]]
        # A tensor that is 0 but for round-off is measured by the deltas that it is summed from.
        scale = torch.stack([delta.abs().max() for delta in deltas]).max()
        for layer, (linear, output) in enumerate(zip(network.layers, network.outputs, strict=True)):
            assert output.grad is not None
            compare("delta", deltas[layer], output.grad.T, scale)
            compare("weights", at.gradient.weights[layer][place], linear.weight.grad, scale)
            compare("biases", at.gradient.biases[layer][place], linear.bias.grad, scale)
        for layer, norm in enumerate(network.norms):
            if isinstance(norm, nn.BatchNorm1d | nn.LayerNorm):
                compare("scales", at.gradient.scales[layer][place], norm.weight.grad, scale)
                compare("shifts", at.gradient.shifts[layer][place], norm.bias.grad, scale)
    return found


@settings(max_examples=150, deadline=None)
@given(case=specs(), batch=st.integers(2, 9), data_seed=st.integers(0, 2**31))
def test_every_gradient_is_autograds(case, batch: int, data_seed: int) -> None:
    for kind, difference in differences(*case, batch, data_seed).items():
        assert difference < CLOSE, kind


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize(
    "wrong", ["skips", "branch_scale", "normalisation", "activation", "gradient"]
)
def test_the_comparison_can_fail(
    monkeypatch: pytest.MonkeyPatch, normalisation: str, wrong: str
) -> None:
    """Each part of a network, changed in the hand-written pass alone, is told from autograd's."""
    spec = NetworkSpec(
        inputs=3,
        outputs=3,
        depth=4,
        width=5,
        activation="tanh",
        normalisation=normalisation,
        skips=((1, 3), (2, 4)),
        branch_scale=0.5,
    )
    training = TrainingSpec(loss="cross_entropy")
    assert max(differences(spec, training, 8, 0).values()) < CLOSE
    other = {
        "skips": ((1, 3),),
        "branch_scale": 0.51,
        "normalisation": "layer" if normalisation == "batch" else "batch",
        "activation": "hard_tanh",
        "gradient": "unit",
    }
    plain = by_hand

    def mistaken(spec: NetworkSpec, *arguments) -> Pass:
        return plain(spec.model_copy(update={wrong: other[wrong]}), *arguments)

    monkeypatch.setitem(globals(), "by_hand", mistaken)
    assert differences(spec, training, 8, 0)["delta"] > 1e-4
