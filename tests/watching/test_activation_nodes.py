"""Activation statistics against autograd's own slopes, as modules, functions and in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import undertow as ut
from tests.watching.loops import mean_square, net
from undertow.watching.torch.activation_nodes import CURVES

NAMES = ("activation_rms", "preactivation_rms", "slope_rms", "saturated_fraction", "dead_fraction")

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": nn.ReLU(),
    "relu function": F.relu,
    "relu method": lambda z: z.relu(),
    "relu in place": nn.ReLU(inplace=True),
    "leaky": nn.LeakyReLU(0.2),
    "leaky, flat below": nn.LeakyReLU(0.01),
    "leaky in place": nn.LeakyReLU(0.2, inplace=True),
    "sigmoid": torch.sigmoid,
    "tanh": nn.Tanh(),
    "tanh in place": lambda z: z.tanh_(),
    "elu": nn.ELU(0.7),
    "selu": nn.SELU(),
    "celu": nn.CELU(2.0),
    "gelu": nn.GELU(),
    "gelu, tanh form": nn.GELU(approximate="tanh"),
    "silu": F.silu,
    "softplus": nn.Softplus(beta=2.0),
    "hard_tanh": nn.Hardtanh(-0.5, 1.5),
    "hard_swish": nn.Hardswish(),
    "mish": nn.Mish(),
}
LARGEST = {
    "selu": 1.7580993408473766,
    "gelu": 1.1289,
    "gelu, tanh form": 1.1289,
    "silu": 1.0998,
    "hard_swish": 1.5,
    "mish": 1.0885,
    "sigmoid": 0.25,
}


class Two(nn.Module):
    """Two layers with a function between, and dropout after it, as transformers have it."""

    def __init__(self, between: Callable[[Tensor], Tensor], dropout: float = 0.0):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Linear(5, 40), nn.Linear(40, 1)
        self.between, self.dropout = between, dropout
        nn.init.normal_(self.first.weight, std=2.0)
        nn.init.constant_(self.first.bias[:3], -40.0)  # dead, where anything can be

    def forward(self, inputs: Tensor) -> Tensor:
        return self.last(F.dropout(self.between(self.first(inputs)), self.dropout, self.training))


def expected(between: Callable[[Tensor], Tensor], z: Tensor, largest: float) -> list[float]:
    z = z.detach().clone().requires_grad_()
    x = between(z * 1.0)
    (slope,) = torch.autograd.grad(x.sum(), z)
    slope = slope.abs()
    values = (
        x.square().mean().sqrt(),
        z.square().mean().sqrt(),
        slope.square().mean().sqrt(),
        (slope < 0.05 * largest).double().mean(),
        (slope == 0).all(0).double().mean(),
    )
    return [float(value.detach()) for value in values]


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation(name: str, dropout: float):
    between = ACTIVATIONS[name]
    model = Two(between, dropout).double()
    inputs = torch.randn(64, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    trace = ut.probe(model, lambda output, _: mean_square(output), (inputs, None))
    found = trace.to_xarray().sel(layer="first")
    wanted = expected(between, model.first(inputs), LARGEST.get(name, 1.0))
    assert [found[each].item() for each in NAMES] == pytest.approx(wanted, rel=1e-6, abs=1e-12)
    assert name.startswith(found.activation.item().replace("leaky_relu", "leaky")) or name in (
        "selu",
        "celu",
    )


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_the_largest_slope(curve: Any):
    if callable(curve.largest) or curve.leak:
        return
    between = ACTIVATIONS[curve.name]
    z = torch.linspace(-10, 10, 400_001, dtype=torch.float64).requires_grad_()
    (slope,) = torch.autograd.grad(between(z * 1.0).sum(), z)
    scale = 1.0
    assert float(slope.abs().max()) == pytest.approx(scale * curve.largest, rel=1e-4)


def test_units_of_a_convolution_are_its_channels():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 1)
    )
    with torch.no_grad():
        model[1].bias[:2] = -100.0
    batch = torch.randn(3, 1, 8, 8), None
    found = ut.probe(model, lambda output, _: mean_square(output), batch).to_xarray()
    # What enters the activation comes out of the norm, so the norm's row describes it.
    assert found.dead_fraction.sel(layer="1").item() == 0.5
    assert np.isnan(found.dead_fraction.sel(layer="0").item())
    assert found.activation.values.tolist() == ["linear", "relu", "linear"]


def test_a_unit_that_lives_in_one_micro_batch_is_alive():
    model = net(1, 2, 1, activation=nn.ReLU)
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0], [-1.0]]))
        model[0].bias.zero_()
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    with ut.watch(model, optimizer, every=1) as w:
        for sign in (1.0, -1.0):
            mean_square(model(torch.full((4, 1), sign))).backward()
        optimizer.step()
    found = w.trace().to_xarray().isel(step=0).sel(layer="0")
    assert found.dead_fraction.item() == 0.0
    assert found.saturated_fraction.item() == 0.5


def test_under_checkpointing_nothing_is_computed_twice():
    class Counting(nn.Module):
        calls = 0

        def forward(self, inputs: Tensor) -> Tensor:
            Counting.calls += 1
            return torch.tanh(inputs)

    block = nn.Sequential(nn.Linear(4, 4), Counting(), nn.Linear(4, 4))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.block, self.head = block, nn.Linear(4, 1)

        def forward(self, inputs: Tensor) -> Tensor:
            inside = torch.utils.checkpoint.checkpoint(self.block, inputs, use_reentrant=False)
            return self.head(inside)

    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    inputs = torch.randn(3, 4)
    with ut.watch(model, optimizer, every=1) as w:
        mean_square(model(inputs)).backward()
        optimizer.step()
    assert Counting.calls == 2  # forward, and once more on the way back, as without a watch
    found = w.trace().to_xarray()
    plain = nn.Sequential(block, model.head)
    wanted = ut.probe(plain, lambda output, _: mean_square(output), (inputs, None)).to_xarray()
    assert found.delta_norm.values[0, 0] == pytest.approx(wanted.delta_norm.values[0, 0], rel=1e-5)
