"""Convolutional networks: their gradients over many draws, and how their layers are read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import undertow as ut
from undertow.data.dataset import load
from undertow.errors import SpecError
from undertow.prediction.from_torch import chain
from undertow.prediction.torch_pictures import average_over, conv_reading, picture

DIGITS = load("digits").first(12)
X = torch.from_numpy(DIGITS.train_inputs).view(12, 1, 8, 8)
Y = torch.from_numpy(DIGITS.train_targets)
CHANNELS, NETWORKS = 64, 40


def conv(inputs: int = CHANNELS, mode: str = "circular", stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, CHANNELS, 3, padding=1, padding_mode=mode, stride=stride)


def stack(activation: type[nn.Module], mode: str = "circular") -> nn.Sequential:
    body = [conv(1, mode), activation(), conv(CHANNELS, mode), activation()]
    body += [conv(CHANNELS, mode, 2), activation()]
    return nn.Sequential(*body, nn.Flatten(), nn.Linear(16 * CHANNELS, 10))


def normed(*, averaged: bool = False) -> nn.Sequential:
    body = [
        part
        for inputs in (1, CHANNELS)
        for part in (conv(inputs), nn.BatchNorm2d(CHANNELS), nn.ReLU())
    ]
    if averaged:
        return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(CHANNELS, 10))
    return nn.Sequential(*body, nn.Flatten(), nn.Linear(64 * CHANNELS, 10))


def wrapped() -> nn.Sequential:
    """Circular padding wider than the kernel: some positions are read twice by one tap."""
    first = nn.Conv2d(1, CHANNELS, 3, padding=3, padding_mode="circular", stride=2)
    second = nn.Conv2d(CHANNELS, CHANNELS, 1, padding=2, padding_mode="circular", stride=2)
    body = [first, nn.Tanh(), second, nn.Tanh(), nn.Flatten()]
    return nn.Sequential(*body, nn.Linear(25 * CHANNELS, 10))


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = conv(1)
        self.blocks = nn.ModuleList(conv() for _ in range(4))
        self.shrink = conv(stride=2)
        self.pool = nn.AvgPool2d(2)
        self.last = nn.Linear(CHANNELS, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.first(x))
        for block in self.blocks:
            x = x + F.relu(block(x))
        x = self.pool(torch.tanh(self.shrink(x)))
        return self.last(x.mean((2, 3)))


NETS: dict[str, Callable[[], nn.Module]] = {
    "tanh": lambda: stack(nn.Tanh),
    "relu, zeros around": lambda: stack(nn.ReLU, "zeros"),
    "batch norm": normed,
    "batch norm, averaged": lambda: normed(averaged=True),
    "residual": Residual,
    "padding read twice": wrapped,
}


def measured(net: Callable[[], nn.Module]) -> np.ndarray:
    """Log10 of the root mean square over draws of every layer's weight gradient."""
    squares = []
    for seed in range(NETWORKS):
        torch.manual_seed(seed)
        module = net()
        F.cross_entropy(module(X), Y).backward()
        layers = [m for m in module.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
        squares.append([m.weight.grad.double().square().sum().item() for m in layers])
    return 0.5 * np.log10(np.mean(squares, 0))


@pytest.mark.parametrize("name", NETS)
def test_root_mean_squares_of_every_layer(name: str):
    torch.manual_seed(0)
    found = ut.predict(NETS[name](), X, targets=Y).to_xarray()
    assert np.abs(np.log10(found["grad_norm"].values[0, 0]) - measured(NETS[name])).max() < 0.1


def test_this_comparison_can_fail():
    torch.manual_seed(0)
    module = stack(nn.Tanh)
    with torch.no_grad():
        module[2].weight.mul_(2)
    found = ut.predict(module, X, targets=Y).to_xarray()
    off = np.log10(found["grad_norm"].values[0, 0]) - measured(NETS["tanh"])
    assert np.abs(off).max() > 0.1


def test_a_trace_says_what_its_layers_are():
    dataset = ut.predict(stack(nn.Tanh), X).to_xarray()
    assert list(dataset["kind"].values) == ["conv", "conv", "conv", "linear"]
    assert list(dataset["fan_in"].values) == [9, 9 * CHANNELS, 9 * CHANNELS, 16 * CHANNELS]
    assert list(dataset["fan_out"].values) == [*[9 * CHANNELS] * 3, 10]


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3},
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": (3, 2), "padding": (2, 1), "stride": (2, 1)},
        {"kernel_size": 3, "padding": 2, "dilation": 2, "padding_mode": "circular"},
        {"kernel_size": (3, 5), "padding": "same"},
        {"kernel_size": 3, "padding": "valid"},
        {"kernel_size": (6, 7)},
    ],
)
def test_the_places_are_those_that_the_convolution_reads(options):
    layer = nn.Conv2d(1, 1, **options, bias=False, dtype=torch.float64)
    reading, above = conv_reading("it", layer, picture((6, 7)))
    x = torch.randn(6 * 7, dtype=torch.float64)
    padded = np.append(x.numpy(), 0.0)  # -1 reads 0
    weights = layer.weight.detach().reshape(-1).numpy()
    mine = weights @ padded[reading.places]
    theirs = layer(x.view(1, 1, 6, 7)).detach()
    assert above.size == tuple(theirs.shape[2:])
    assert mine == pytest.approx(theirs.reshape(-1).numpy(), abs=1e-12)


def test_averages_after_averages_are_one_matrix():
    found = average_over(average_over(picture((6, 4)), nn.AvgPool2d(2)), nn.AdaptiveAvgPool2d(1))
    assert found.pooled == pytest.approx(np.full((1, 24), 1 / 24))
    assert (found.now, found.size) == ((1, 1), (6, 4))


def test_a_linear_layer_on_pictures_takes_all_numbers_alike():
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 30), nn.Tanh(), nn.Linear(30, 10))
    assert chain(flat, X.shape).readings == (None, None)
    by_features = ut.predict(flat, X.view(12, 64)).to_xarray()
    assert ut.predict(flat, X).to_xarray()["grad_norm"].equals(by_features["grad_norm"])


class Reshaped(nn.Module):
    def __init__(self, reshape: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.first, self.last, self.reshape = conv(1), nn.Linear(64 * CHANNELS, 10), reshape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.reshape(torch.relu(self.first(x))))


@pytest.mark.parametrize(
    "reshape",
    [
        lambda x: x.view(x.size(0), -1),
        lambda x: x.reshape(x.shape[0], -1),
        lambda x: x.view(-1, 64 * CHANNELS),
        lambda x: x.view(12, -1),
        lambda x: x.flatten(1),
        lambda x: torch.flatten(x, start_dim=1),
    ],
)
def test_a_picture_may_be_flattened_in_any_way(reshape):
    readings = chain(Reshaped(reshape), X.shape).readings
    assert readings[1].places.shape == (64, 1)


class Shrinking(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.smaller = conv(1), conv(stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.first(x))
        return x + torch.relu(self.smaller(x))


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (nn.Sequential(conv(1), nn.ReLU(), nn.MaxPool2d(2)), "'2' is a MaxPool2d (the largest"),
        (nn.Sequential(nn.Conv2d(4, 4, 3, groups=2)), "groups = 2"),
        (nn.Sequential(conv(1, "reflect")), "padding_mode 'reflect'"),
        (nn.Sequential(conv(1), nn.Tanh(), conv()), "ends in a picture of (8, 8)"),
        (nn.Sequential(conv(1), nn.Tanh(), nn.Linear(8, 10)), "flatten it before"),
        (nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16, 9)), "average them beforehand"),
        (nn.Sequential(nn.Flatten(), conv(1)), "a Conv2d reads [batch"),
        (nn.Sequential(conv(1), nn.Flatten(), nn.AvgPool2d(2)), "averages what is not"),
        (nn.Sequential(conv(1), nn.ReLU(), nn.Flatten(2), nn.Linear(64, 10)), "a Flatten of other"),
        (
            nn.Sequential(conv(1), nn.ReLU(), nn.Flatten(), nn.Linear(77, 10)),
            "takes 77 inputs",
        ),
        (nn.Sequential(conv(1), nn.ReLU(), conv(5)), "takes 5 inputs, and 64 come from below"),
        (nn.Sequential(conv(1), nn.BatchNorm1d(CHANNELS)), "asks for a BatchNorm2d(64)"),
        (nn.Sequential(conv(1), nn.BatchNorm2d(3)), "asks for a BatchNorm2d(64)"),
        (nn.Sequential(nn.Conv2d(1, 8, 11)), "'0': "),
        (nn.Sequential(conv(1), nn.ReLU(), nn.AvgPool2d(16)), "'2': "),
        (Reshaped(lambda x: x.view(3, -1)), "reshapes what is inside"),
        (Reshaped(lambda x: x.view(x.size(1), -1)), "reshapes what is inside"),
        (Reshaped(lambda x: torch.flatten(input=x, start_dim=1)), "takes other than one tensor"),
        (Shrinking(), "a sum of pictures of one size"),
    ],
)
def test_what_it_cannot_treat_it_names(module: nn.Module, said: str):
    with pytest.raises(SpecError) as refused:
        ut.predict(module, X)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (X.expand(-1, 3, -1, -1), "3 channels, and the network takes 1"),
        (torch.zeros(2, 1, 224, 224), "50,176 positions: at most 2,048 in all"),
        (X.repeat(4, 1, 1, 1), "48 samples of 64 positions: at most 2,048"),
        (X[:, 0], "reads [batch, channels, height, width]"),
    ],
)
def test_a_batch_that_does_not_fit_is_named(inputs: torch.Tensor, said: str):
    with pytest.raises(SpecError) as refused:
        ut.predict(stack(nn.Tanh), inputs)
    assert said in str(refused.value)
