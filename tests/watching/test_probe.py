"""A probe measures what a plain backward pass gives, and leaves nothing behind."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import undertow as ut
from tests.watching.loops import batches, mean_square, net, train, true_norms
from undertow.errors import SpecError


def restless() -> nn.Sequential:
    """Return a model that changes buffers and draws random numbers on each pass."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(8, 3)
    )


BATCH = torch.randn(6, 4, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 1, 2] * 2)


@pytest.mark.parametrize("training", [True, False])
def test_no_side_effects(training: bool):
    model = restless().train(training)
    optimizer = torch.optim.Adam(model.parameters())
    F.cross_entropy(model(BATCH[0]), BATCH[1]).backward()
    before = copy.deepcopy(model.state_dict())
    grads = [(each.grad, each.grad.clone()) for each in model.parameters()]  # pyright: ignore
    buffers = list(model.buffers())
    state = torch.get_rng_state()
    ut.probe(model, F.cross_entropy, BATCH)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    for parameter, (grad, copied) in zip(model.parameters(), grads, strict=True):
        assert parameter.grad is grad
        assert torch.equal(grad, copied)
    assert all(now is then for now, then in zip(model.buffers(), buffers, strict=True))
    assert all(module.training is training for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())
    assert not optimizer.state


def test_the_numbers_are_those_of_a_backward_pass():
    model = restless()
    torch.manual_seed(5)
    found = ut.probe(model, F.cross_entropy, BATCH).to_xarray()
    torch.manual_seed(5)
    loss = F.cross_entropy(model(BATCH[0]), BATCH[1])
    loss.backward()
    assert found.loss.item() == pytest.approx(loss.item(), rel=1e-6)
    assert found.grad_norm.values[0, 0] == pytest.approx(np.array(true_norms(model)), rel=1e-6)
    assert found.layer.values.tolist() == ["0", "1", "4"]


def test_after_an_error_too():
    model = restless()
    before = copy.deepcopy(model.state_dict())

    def wrong(output: Tensor, _: Tensor) -> Tensor:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ut.probe(model, wrong, BATCH)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_an_optimizer_that_steps_in_a_hook_does_not_step():
    model = net(4, 3)
    weight = model[0].weight.detach().clone()

    def step(parameter: Tensor) -> None:
        with torch.no_grad():
            parameter -= parameter.grad

    model[0].weight.register_post_accumulate_grad_hook(step)
    ut.probe(model, F.cross_entropy, BATCH)
    assert torch.equal(model[0].weight, weight)


def test_within_a_watch_it_is_not_seen():
    alone = net(4, 6, 1)
    wanted = train(alone, torch.optim.SGD(alone.parameters(), 0.1), batches(4)).to_xarray()
    model = net(4, 6, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with ut.watch(model, optimizer, every=1) as w:
        for inputs in batches(4):
            ut.probe(model, lambda output, _: mean_square(output), (7 * inputs, None))
            optimizer.zero_grad()
            loss = mean_square(model(inputs))
            loss.backward()
            ut.probe(model, lambda output, _: mean_square(output), (7 * inputs, None))
            optimizer.step()
            w.log(loss=loss)
    found = w.trace().to_xarray()
    for name in ("grad_norm", "delta_norm", "activation_rms", "update_norm", "loss"):
        assert np.array_equal(found[name], wanted[name], equal_nan=True)


def test_several_inputs_and_named_ones():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, left: Tensor, right: Tensor) -> Tensor:
            return self.layer(left + right)

    model, inputs = Sum(), BATCH[0]
    first = ut.probe(model, F.cross_entropy, ((inputs, inputs), BATCH[1])).to_xarray()
    named = {"left": inputs, "right": inputs}
    second = ut.probe(model, F.cross_entropy, (named, BATCH[1])).to_xarray()
    assert first.grad_norm.item() == second.grad_norm.item() > 0


@pytest.mark.parametrize(
    ("loss", "batch", "message"),
    [
        (F.cross_entropy, BATCH[0], "batch: must be a pair (inputs, targets)"),
        (lambda output, _: output, BATCH, "loss_fn gave shape (6, 3): must be a tensor of one"),
        (lambda output, _: 1.0, BATCH, "loss_fn gave float: must be a tensor of one number"),
        (
            lambda output, _: output.detach().sum(),
            BATCH,
            "loss_fn: no weight takes part in the loss; look for a detach() before it",
        ),
    ],
)
def test_bad_use_is_one_line(loss: object, batch: object, message: str):
    with pytest.raises(SpecError) as error:
        ut.probe(restless(), loss, batch)  # pyright: ignore
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_the_size_of_the_inputs_and_the_spread_of_the_output_are_measured():
    torch.manual_seed(0)
    model, x = nn.Linear(3, 2), torch.randn(50, 3) * 40
    found = ut.probe(model, lambda out, _: out.square().mean(), (x, x)).to_xarray()
    assert found.input_rms.item() == pytest.approx(x.square().mean().sqrt().item(), rel=1e-6)
    expected = model(x).std(0, correction=0).mean().item()
    assert found.output_spread.item() == pytest.approx(expected, rel=1e-5)
