"""Loops and models as people have them: wrapped optimizers, closures, views, hand-made modules."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn, optim

import undertow as ut
from undertow.errors import SpecError


def net(inputs: int = 4, width: int = 8, outputs: int = 3) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, outputs))


def loss_of(model: nn.Module, number: int, inputs: int = 4) -> Tensor:
    drawn = torch.randn(6, inputs, generator=torch.Generator().manual_seed(number))
    return model(drawn).square().mean()


class InNameOnly(optim.Optimizer):
    """A wrapper that never called its base class, as Accelerate's is."""

    def __init__(self, optimizer: optim.Optimizer) -> None:
        self.optimizer = optimizer
        self.param_groups = optimizer.param_groups

    def step(self, closure: None = None) -> None:
        self.optimizer.step(closure)

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.optimizer.zero_grad(set_to_none)


def test_an_optimizer_in_a_wrapper_in_name_only_is_watched():
    model = net()
    wrapped = InNameOnly(optim.SGD(model.parameters(), 0.1))
    with ut.watch(model, wrapped, every=1) as w:
        for number in range(3):
            wrapped.zero_grad()
            loss_of(model, number).backward()
            wrapped.step()
    assert w.trace().dataset.step.values.tolist() == [1, 2, 3]


def test_a_wrapper_around_nothing_is_refused():
    class Empty(optim.Optimizer):
        def __init__(self) -> None:
            """Leave everything out."""

    with pytest.raises(SpecError, match="optimizer of type Empty: give a torch.optim.Optimizer"):
        ut.watch(net(), Empty())


@pytest.mark.parametrize("inside", [False, True])
def test_clipping_inside_a_closure_is_an_event(inside: bool):
    model = net()
    optimizer = optim.SGD(model.parameters(), 0.1)

    def clip() -> None:
        nn.utils.clip_grad_norm_(model.parameters(), 1e-3)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = loss_of(model, 0)
        loss.backward()
        if inside:
            clip()
        return loss

    with ut.watch(model, optimizer, every=1) as w:
        if inside:
            optimizer.step(closure)
        else:
            closure()
            clip()
            optimizer.step()
    (event,) = w.trace().events
    assert (event.kind, event.step) == ("clipped", 1)
    assert event.detail.startswith("their norm was multiplied by 0.0")


@pytest.mark.parametrize("overwrite", [torch.relu_, lambda x: x.masked_fill_(x < 0, 0.0)])
def test_a_view_that_is_overwritten_keeps_its_delta(overwrite: Callable[[Tensor], Tensor]):
    """A Linear's output on three dims is a view; what is done to it in place changes no delta."""

    def deltas(act: Callable[[Tensor], Tensor]) -> np.ndarray:
        torch.manual_seed(0)
        one, two = nn.Linear(4, 5), nn.Linear(5, 1)
        model = nn.ModuleList([one, two])
        optimizer = optim.SGD(model.parameters(), 0.1)
        with ut.watch(model, optimizer, every=1) as w:
            x = torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(1))
            two(act(one(x))).square().mean().backward()
            optimizer.step()
        assert w.trace().attributes["not_seen"] == {}
        return w.trace().to_xarray().delta_norm.values

    assert deltas(overwrite) == pytest.approx(deltas(torch.relu), rel=1e-6)


@dataclass
class Answer:
    logits: Tensor
    note: str = ""


class Answers(nn.Linear):
    def forward(self, input: Tensor) -> Answer:  # pyright: ignore
        return Answer(super().forward(input))


def test_a_layer_that_answers_with_a_dataclass_is_seen():
    torch.manual_seed(0)
    head = Answers(4, 1)
    optimizer = optim.SGD(head.parameters(), 0.1)
    with ut.watch(head, optimizer, every=1) as w:
        head(torch.ones(2, 4)).logits.mean().backward()
        optimizer.step()
    assert w.trace().attributes["not_seen"] == {}
    # d mean / d logits is 1/2 for each of two.
    assert w.trace().to_xarray().delta_norm.item() == pytest.approx(0.5**0.5)


@pytest.mark.parametrize("beside", [False, True])
def test_an_optimizer_of_biases_is_watched(beside: bool):
    model = net()
    biases = optim.SGD([each for each in model.parameters() if each.dim() == 1], 0.1)
    matrices = optim.SGD([each for each in model.parameters() if each.dim() == 2], 0.1)
    optimizers = [matrices, biases] if beside else [biases]
    with ut.watch(model, optimizers, every=1) as w:
        for number in range(3):
            for each in (matrices, biases):
                each.zero_grad()
            loss_of(model, number).backward()
            for each in optimizers:
                each.step()
    found = w.trace().to_xarray().isel(replicate=0)
    assert found.step.values.tolist() == [1, 2, 3]
    assert (found.grad_norm > 0).all()


def test_an_optimizer_of_another_model_is_refused():
    with pytest.raises(SpecError, match="SGD holds no parameter of this Sequential"):
        ut.watch(net(), optim.SGD(net().parameters(), 0.1))


def test_a_gradient_of_nan_is_one_that_came(caplog: pytest.LogCaptureFixture):
    model = net()
    optimizer = optim.SGD(model.parameters(), 0.1)
    with caplog.at_level(logging.WARNING, "undertow"), ut.watch(model, optimizer, every=1) as w:
        (loss_of(model, 0) * float("nan")).backward()
        optimizer.step()
    assert caplog.records == []
    assert w.trace().attributes["not_seen"] == {}


@pytest.mark.parametrize("every", [1, 2, 3, 50])
@pytest.mark.parametrize("as_number", [False, True])
def test_no_loss_is_lost_where_one_optimizer_steps_now_and_then(every: int, as_number: bool):
    """As TD3's actor: every third time. Each recorded step has the loss of its own iteration."""
    torch.manual_seed(0)
    model = nn.ModuleDict({"actor": net(4, 8, 2), "critic": net(6, 8, 1)})
    actor, critic = (optim.Adam(model[name].parameters(), 1e-2) for name in ("actor", "critic"))
    losses = []
    with ut.watch(model, [actor, critic], every=every) as w:
        for number in range(60):
            state = torch.randn(8, 4, generator=torch.Generator().manual_seed(number))
            loss = model["critic"](torch.cat([state, state[:, :2]], 1)).square().mean()
            critic.zero_grad()
            loss.backward()
            critic.step()
            if number % 3 == 2:
                value = -model["critic"](torch.cat([state, model["actor"](state)], 1)).mean()
                actor.zero_grad()
                value.backward()
                actor.step()
            losses.append(loss.item())
            w.log(loss=loss.item() if as_number else loss)
    found = w.trace().to_xarray().isel(replicate=0)
    assert found.loss.values == pytest.approx([losses[step - 1] for step in found.step.values])


class Conv1D(nn.Module):
    """A layer with its weight as [inputs, outputs], as GPT-2's are in transformers."""

    def __init__(self, outputs: int, inputs: int) -> None:
        super().__init__()
        self.nf = outputs
        self.weight = nn.Parameter(torch.randn(inputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight


def test_a_transposed_weight_is_read_the_right_way_round():
    torch.manual_seed(0)
    layer = Conv1D(outputs=5, inputs=3)
    with torch.no_grad():
        layer.weight[:, 1:] = layer.weight[:, :1]  # all five units read the same
    batch = torch.randn(4, 3), torch.zeros(4)
    found = ut.probe(layer, lambda out, _: out.square().mean(), batch).to_xarray()
    assert (found.fan_in.item(), found.fan_out.item()) == (3, 5)
    assert found.distinct_units.item() == 0.0


@pytest.mark.parametrize("verb", [ut.probe, ut.explain])
def test_a_probe_leaves_every_generator_as_it_was(verb: Callable[..., object]):
    class Draws(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(*net(), nn.Tanh(), nn.Linear(3, 3))

        def forward(self, x: Tensor) -> Tensor:
            scale = 1 + random.random() + np.random.random()  # noqa: NPY002
            return self.layers(x * scale + torch.rand(1))

    def numbers() -> tuple[float, ...]:
        return random.random(), np.random.random(), torch.rand(1).item()  # noqa: NPY002

    model, batch = Draws(), (torch.ones(2, 4), torch.zeros(2))
    drawn = []
    for looks in (False, True):
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002
        torch.manual_seed(1)
        if looks:
            verb(model, lambda out, _: out.square().mean(), batch)
        drawn.append(numbers())
    assert drawn[0] == drawn[1]


def test_a_buffer_that_is_filled_in_the_first_pass_is_empty_again():
    class Lazily(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = net()
            self.register_buffer("seen", torch.zeros(0))

        def forward(self, x: Tensor) -> Tensor:
            self.seen.resize_(x.shape).copy_(x)
            return self.layers(x)

    model = Lazily()
    buffer = model.seen
    ut.probe(model, lambda out, _: out.square().mean(), (torch.ones(2, 4), torch.zeros(2)))
    assert model.seen is buffer
    assert buffer.shape == (0,)
