"""Where the first NaN or Inf arose is named, and the trace survives it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import undertow as ut
from tests.watching.loops import batches, mean_square, net

NAN, INF = float("nan"), float("inf")


class SpoiledDelta(torch.autograd.Function):
    """Passes numbers on, and NaN back."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor) -> Tensor:
        return inputs.clone()

    @staticmethod
    def backward(ctx: Any, *deltas: Tensor) -> Tensor:
        return torch.full_like(deltas[0], NAN)


class Poison(nn.Module):
    """Passes numbers on; from its `at`-th call on it spoils them, one way or the other."""

    def __init__(self, way: str, at: int):
        super().__init__()
        self.way, self.at, self.calls = way, at, 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.calls += 1
        if self.calls < self.at:
            return inputs
        if self.way == "backward":
            return SpoiledDelta.apply(inputs)  # pyright: ignore
        return inputs * NAN


def poisoned(way: str, at: int) -> nn.Sequential:
    """Return layers 0, 1 and 4; what layer 1 puts out is spoiled before the activation."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(4, 6), nn.Linear(6, 6), Poison(way, at), nn.Tanh(), nn.Linear(6, 1)
    )


def watched(model: nn.Module, steps: int = 30, *, log: bool = True, **options: Any) -> ut.Trace:
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    with ut.watch(model, optimizer, **options) as w:
        for inputs in batches(steps):
            optimizer.zero_grad()
            loss = mean_square(model(inputs))
            loss.backward()
            optimizer.step()
            if log:
                w.log(loss=loss)
    return w.trace()


def only(trace: ut.Trace) -> Any:
    (event,) = [event for event in trace.events if event.kind == "nonfinite"]
    return event


@pytest.mark.parametrize("at", [1, 4])
def test_forward(at: int):
    trace = watched(poisoned("forward", at), every=1)
    event = only(trace)
    assert (event.step, event.layer) == (at, "4")
    assert event.detail == "on the way forward: in what it reads, made after '1'"
    assert trace.dataset.step.values.tolist() == list(range(1, 31))
    assert (trace.dataset.nonfinite.values[0, at - 1] > 0).all()


def test_forward_in_a_layer():
    model = net(4, 6, 6, 1, activation=nn.ReLU)
    with torch.no_grad():
        model[2].weight[0, 0] = INF
    event = only(watched(model, every=1))
    assert (event.step, event.layer) == (1, "2")
    assert event.detail == "on the way forward: in its weight, before the update"


def test_an_overflow_in_a_layer():
    model = net(4, 6, 6, 1, activation=nn.ReLU)
    with torch.no_grad():
        model[0].weight.fill_(1e30)
        model[2].weight.fill_(1e30)
    event = only(watched(model, every=1))
    assert (event.step, event.layer) == (1, "2")
    assert event.detail == "on the way forward: in its output; what it reads is finite"


def test_inputs():
    model = net(4, 6, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    with ut.watch(model, optimizer, every=1) as w:
        mean_square(model(torch.full((3, 4), NAN))).backward()
        optimizer.step()
    event = only(w.trace())
    assert (event.layer, event.detail) == (
        "0",
        "on the way forward: in what it reads, made after the inputs",
    )


def test_backward():
    event = only(watched(poisoned("backward", 3), every=1))
    assert (event.step, event.layer) == (3, "1")
    assert event.detail.startswith("on the way back: in the delta at its output")


def test_in_the_loss():
    model = net(4, 6, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    with ut.watch(model, optimizer, every=1) as w:
        for number, inputs in enumerate(batches(5), 1):
            optimizer.zero_grad()
            loss = mean_square(model(inputs)) * (NAN if number == 3 else 1.0)
            loss.backward()
            w.log(loss=loss)
            optimizer.step()
    event = only(w.trace())
    assert (event.step, event.layer) == (3, None)
    assert event.detail == "in the loss; every layer's output is finite"


def test_in_the_loss_that_is_logged_late_or_not():
    model = net(4, 6, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    with ut.watch(model, optimizer, every=1) as w:
        loss = mean_square(model(next(batches(1)))) * NAN
        loss.backward()
        optimizer.step()
        w.log(loss=loss)
    event = only(w.trace())
    assert event.layer == "2"
    assert event.detail.endswith("the way forward is finite up to the loss, which it comes from")


@pytest.mark.parametrize("log", [True, False])
def test_between_recorded_steps(log: bool):
    trace = watched(poisoned("forward", 17), 60, log=log, every=25)
    event = only(trace)
    # With a logged loss the step after is recorded at once, whole; else the next in turn.
    assert event.step == (18 if log else 25)
    seen = 17 if log else 25
    assert event.detail.endswith(f"; it arose after step 10, and by step {seen}")
    recorded = trace.dataset.step.values.tolist()
    assert set(range(event.step, event.step + 10)) <= set(recorded)


def test_the_cheap_half_looks_closer_at_the_step_after():
    event = only(watched(poisoned("backward", 3), every=1, record="gradients"))
    # By then the update has spoiled the weights.
    assert (event.step, event.layer) == (4, "0")
    assert event.detail.startswith("on the way forward: in its weight, before the update")
    assert event.detail.endswith("; it arose after step 2, and by step 3")


def test_the_last_step_too():
    event = only(watched(poisoned("forward", 5), 5, every=1, record="gradients"))
    assert event.step == 5


def test_a_huge_gradient_is_not_an_infinite_one():
    model = net(4, 6, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    with ut.watch(model, optimizer, every=1) as w:
        (mean_square(model(next(batches(1)))) * 1e30).backward()
        optimizer.step()
    trace = w.trace()
    assert trace.events == ()
    assert np.isfinite(trace.dataset.grad_norm.values).all()
    assert trace.dataset.grad_norm.values.max() > 1e28
