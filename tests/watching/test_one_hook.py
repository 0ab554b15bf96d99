"""After ten steps alike one hook speaks for all weights: it may miss a step, but never lies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import undertow as ut
from undertow.watching.torch.weight_gradients import STEADY

LAYERS = 4


def made() -> tuple[nn.Sequential, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nn.Sequential(
        *(part for _ in range(LAYERS) for part in (nn.Linear(6, 6), nn.Tanh())),
    )
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def weights(model: nn.Module) -> list[nn.Parameter]:
    return [each.weight for each in model if isinstance(each, nn.Linear)]


def hooks(model: nn.Module) -> int:
    return sum(bool(each._post_accumulate_grad_hooks) for each in weights(model))


class Training:
    """A training of which each step can be another, and what it should have recorded."""

    def __init__(self, record: str = "gradients") -> None:
        self.model, self.optimizer = made()
        self.watch = ut.watch(self.model, self.optimizer, every=1, record=record)
        self.true: list[list[float]] = []

    def loss(self) -> torch.Tensor:
        return self.model(torch.randn(8, 6)).square().mean()

    def update(self) -> None:
        self.true.append([each.grad.norm().item() for each in weights(self.model)])
        self.optimizer.step()

    def steps(self, count: int) -> None:
        for _ in range(count):
            self.optimizer.zero_grad()
            self.loss().backward()
            self.update()

    def recorded(self) -> np.ndarray:
        return self.watch.trace().dataset["grad_norm"].values[0]

    def check(self, *, missed: int | None) -> None:
        """All steps are as they were but the one that was missed, if one was, which is NaN."""
        found, expected = self.recorded(), np.array(self.true)
        if missed is not None:
            assert np.isnan(found[missed]).all()
            found, expected = (np.delete(each, missed, 0) for each in (found, expected))
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.fixture(params=["gradients", "everything"])
def training(request):
    found = Training(request.param)
    yield found
    found.watch.close()


def test_one_hook_is_left_once_ten_steps_were_alike(training):
    training.steps(STEADY - 1)
    assert hooks(training.model) == LAYERS
    training.steps(1)
    assert hooks(training.model) == 1
    training.steps(30)
    training.check(missed=None)
    training.watch.close()
    assert hooks(training.model) == 0


def penalty(training: Training, place: int) -> None:
    """Make a pass of its own that comes to one weight, and by no other."""
    weights(training.model)[place].square().sum().backward()


@pytest.mark.parametrize("place", range(LAYERS))
def test_a_second_pass_that_comes_to_one_weight_only(training, place):
    training.steps(20)
    training.optimizer.zero_grad()
    training.loss().backward()
    penalty(training, place)
    training.update()
    assert hooks(training.model) == LAYERS
    training.steps(20)
    assert hooks(training.model) == LAYERS  # for good
    last = place == LAYERS - 1  # the weight that comes first, whose hook was left
    training.check(missed=None if last and training.recorded()[20, 0] > 0 else 20)
    assert not training.watch.trace().events


def test_gradients_that_are_made_anew_by_a_pass_that_no_hook_saw(training):
    training.steps(20)
    training.optimizer.zero_grad()
    training.loss().backward()
    training.optimizer.zero_grad()
    for each in training.model.parameters():
        each.grad = torch.ones_like(each)
    training.update()
    training.steps(5)
    training.check(missed=20)


def test_a_pass_that_does_not_come_to_the_first_weight(training):
    training.steps(20)
    training.optimizer.zero_grad(set_to_none=False)
    penalty(training, 0)
    training.update()
    training.steps(5)
    training.check(missed=20)


def test_clipping_that_begins_later_loses_one_step_and_then_none(training):
    training.steps(20)
    for _ in range(15):
        training.optimizer.zero_grad()
        training.loss().backward()
        training.true.append([each.grad.norm().item() for each in weights(training.model)])
        for each in training.model.parameters():
            each.grad.mul_(0.5)
        training.optimizer.step()
    training.check(missed=20)
    clipped = [each.step for each in training.watch.trace().events if each.kind == "clipped"]
    assert clipped == list(range(22, 36))


def test_accumulation_never_lets_one_hook_speak(training):
    for _ in range(25):
        training.optimizer.zero_grad()
        training.loss().backward()
        training.loss().backward()
        training.update()
    assert hooks(training.model) == LAYERS
    training.check(missed=None)


def test_a_weight_that_is_frozen_brings_all_hooks_back(training):
    training.steps(20)
    frozen = weights(training.model)[1]
    frozen.requires_grad_(False)
    for _ in range(3):
        training.optimizer.zero_grad()
        training.loss().backward()
        training.true.append(
            [
                np.nan if each.grad is None else each.grad.norm().item()
                for each in weights(training.model)
            ]
        )
        training.optimizer.step()
    assert hooks(training.model) == LAYERS - 1
    training.check(missed=None)
