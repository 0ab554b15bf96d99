"""The oracle, against gradients derived by hand and against the training it must not disturb."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.conformance import torch_world
from tests.conformance.architectures import CASES, choices, numbers
from tests.conformance.case import Case
from tests.conformance.oracle import truth
from tests.conformance.runs import twin
from tests.conformance.torch_world import begun


def test_first_step_of_the_mlp_by_hand():
    """Softmax, tanh and relu, backwards, in NumPy."""
    case = CASES[0]
    with begun(case, torch.float64) as (model, _):
        parameters = [each.detach().numpy() for each in model.parameters()]
        x, y = numbers(model, 1, 10).numpy(), choices(1, among=3).numpy()
    weights, biases = parameters[::2], parameters[1::2]
    hidden = np.maximum(x @ weights[0].T + biases[0], 0)
    curved = np.tanh(hidden @ weights[1].T + biases[1])
    powers = np.exp(curved @ weights[2].T + biases[2])
    deltas = [(powers / powers.sum(1, keepdims=True) - np.eye(3)[y]) / len(y)]
    deltas.insert(0, deltas[0] @ weights[2] * (1 - curved**2))
    deltas.insert(0, deltas[0] @ weights[1] * (hidden > 0))
    gradients = [
        delta.T @ put_in for delta, put_in in zip(deltas, (x, hidden, curved), strict=True)
    ]

    found = truth(case, torch.float64).isel(step=0)
    assert found.layer.values.tolist() == ["0", "2", "4"]
    assert found.delta_norm.values == pytest.approx([np.linalg.norm(each) for each in deltas])
    assert found.grad_norm.values == pytest.approx([np.linalg.norm(each) for each in gradients])
    assert found.weight_norm.values == pytest.approx([np.linalg.norm(each) for each in weights])
    rate = 0.05  # the first step of SGD, before there is momentum
    assert found.update_norm.values == pytest.approx(rate * found.grad_norm.values)
    assert (found.update_norm_se.values > 0).tolist() == [False, True, False]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_sees_the_training_that_nobody_watches(case: Case):
    """Losses equal to the last bit: wrapping and cloning changes nothing."""
    assert truth(case, torch.float32).loss.values.tolist() == twin(torch_world, case).losses


def test_every_architecture_has_its_own_name():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 14
