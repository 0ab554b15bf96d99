"""Nets and data of the zoo: a recipe of a few words and numbers, and the model it makes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from sklearn.datasets import make_circles, make_moons
from torch import Tensor, nn

from undertow.data import dataset as laboratory

SAMPLES = 1000
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
    "selu": nn.SELU,
    "leaky": lambda: nn.LeakyReLU(0.1),
}
INITIAL = {"sigmoid": "glorot", "tanh": "glorot", "selu": "lecun"}  # of all others He's


@dataclass(frozen=True)
class Recipe:
    """A net and how it is trained; `skip` and `branch` are those of residual nets only."""

    family: str
    depth: int
    width: int
    data: str
    optimizer: str
    lr: float
    activation: str = "relu"
    norm: str = "none"
    init: str = ""
    skip: bool = True
    branch: float = 1.0  # residual branches' last weights are scaled by it
    first_norm: bool = False  # transformers: the norm stands before the sublayer
    steps: int = 200
    batch: int = 64

    @property
    def name(self) -> str:
        """Return a name in which every field but the steps can be told."""
        norm = {"none": "", "batch": "-bn", "layer": "-ln"}[self.norm]
        order = {"transformer": "-pre" if self.first_norm else "-post"}.get(self.family, "")
        init = f"-{self.init}" if self.init else ""
        scaled = "-scaled" if self.branch != 1 else ""
        kind = "" if self.family in ("lstm", "gru", "transformer") else f"-{self.activation}"
        shape = f"{self.depth}x{self.width}"
        head = f"{self.family}{order}{kind}{norm}{scaled}{init}"
        return f"{head}-{shape}-{self.data}-{self.optimizer}"


class Data(NamedTuple):
    """Inputs standardised (or tokens, int64) and labels."""

    inputs: Tensor
    labels: Tensor
    classes: int


@cache
def data(name: str) -> Data:
    """Load a data set by its name."""
    inputs, labels = SETS[name]()
    labels = torch.as_tensor(labels, dtype=torch.int64)
    return Data(torch.as_tensor(inputs), labels, int(labels.max()) + 1)


def standardised(inputs: np.ndarray) -> np.ndarray:
    """Return inputs with mean 0 and variance 1 over everything (of points, each coordinate)."""
    axis = 0 if inputs.shape[1] == 2 else None
    return ((inputs - inputs.mean(axis)) / inputs.std(axis)).astype(np.float32)


def moons() -> tuple[np.ndarray, np.ndarray]:
    inputs, labels = make_moons(SAMPLES, noise=0.1, random_state=42)
    return standardised(inputs), labels


def circles() -> tuple[np.ndarray, np.ndarray]:
    inputs, labels = make_circles(SAMPLES, noise=0.08, factor=0.5, random_state=42)
    return standardised(inputs), labels


def pictures(name: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return 1,000 pictures [samples, 1, size, size]; those of 28 x 28 are halved by averaging."""
    found = laboratory.load(name).first(SAMPLES)
    side = math.isqrt(found.train_inputs.shape[1])
    inputs = found.train_inputs.reshape(-1, size, side // size, size, side // size)
    return standardised(inputs.mean((2, 4)))[:, None], found.train_targets


def rows() -> tuple[np.ndarray, np.ndarray]:
    """Return digits as sequences of their eight rows."""
    inputs, labels = pictures("digits", 8)
    return inputs[:, 0], labels


def majority() -> tuple[np.ndarray, np.ndarray]:
    """Return sequences of 15 signs, to be told which of the two is more frequent."""
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (SAMPLES, 15, 1)).astype(np.float32)
    return signs, (signs.sum((1, 2)) > 0).astype(np.int64)


def recall() -> tuple[np.ndarray, np.ndarray]:
    """Return sequences of 8 of 4 tokens, of which the first is to be told at the end."""
    tokens = np.random.default_rng(0).integers(4, size=(SAMPLES, 8))
    return tokens, tokens[:, 0]


SETS: dict[str, Callable[[], tuple[np.ndarray, np.ndarray]]] = {
    "moons": moons,
    "circles": circles,
    "digits": lambda: pictures("digits", 8),
    "mnist": lambda: pictures("mnist", 14),
    "fashion": lambda: pictures("fashion-mnist", 14),
    "rows": rows,
    "majority": majority,
    "recall": recall,
}


def batches(recipe: Recipe, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches without end, each epoch in an order of its own."""
    found = data(recipe.data)
    inputs = found.inputs.flatten(1) if recipe.family in ("mlp", "resmlp") else found.inputs
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(len(inputs), generator=generator)
        for chosen in order.split(recipe.batch):
            if len(chosen) == recipe.batch:
                yield inputs[chosen], found.labels[chosen]


def model(recipe: Recipe) -> nn.Module:
    """Make the model of a recipe from torch's generator as it stands."""
    return FAMILIES[recipe.family](recipe)


def initialise(recipe: Recipe, weight: Tensor) -> None:
    """Draw weights by the recipe's scheme, which by default is that of its activation."""
    scheme = recipe.init or INITIAL.get(recipe.activation, "he")
    if scheme == "he":
        nn.init.kaiming_normal_(weight)
    elif scheme == "lecun":
        nn.init.kaiming_normal_(weight, nonlinearity="linear")
    elif scheme == "glorot":
        nn.init.xavier_uniform_(weight)
    elif scheme == "orthogonal":
        nn.init.orthogonal_(weight)
    elif scheme != "torch":
        raise ValueError(f"{scheme}: he, lecun, glorot, orthogonal or torch")


def initialised(recipe: Recipe, layer: nn.Linear | nn.Conv2d) -> nn.Module:
    """Draw a layer's weights; its bias is 0 unless torch's own scheme is asked for."""
    initialise(recipe, layer.weight)
    if recipe.init != "torch":
        nn.init.zeros_(layer.bias)
    return layer


def activation(recipe: Recipe) -> nn.Module:
    return ACTIVATIONS[recipe.activation]()


def norm(recipe: Recipe, width: int, pictures: bool = False) -> list[nn.Module]:
    """Return the recipe's normalisation, none or one module in a list."""
    if recipe.norm == "batch":
        return [nn.BatchNorm2d(width) if pictures else nn.BatchNorm1d(width)]
    return [nn.LayerNorm(width)] if recipe.norm == "layer" else []


def features(recipe: Recipe) -> int:
    return data(recipe.data).inputs[0].numel()


def head(recipe: Recipe, width: int) -> nn.Linear:
    """Return the output layer, LeCun-initialised."""
    layer = nn.Linear(width, data(recipe.data).classes)
    if recipe.init != "torch":
        nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
        nn.init.zeros_(layer.bias)
    return layer


def mlp(recipe: Recipe) -> nn.Module:
    """Return `depth` hidden layers and the output layer in one Sequential."""
    found: list[nn.Module] = []
    fan_in = features(recipe)
    for _ in range(recipe.depth):
        found.append(initialised(recipe, nn.Linear(fan_in, recipe.width)))
        found += [*norm(recipe, recipe.width), activation(recipe)]
        fan_in = recipe.width
    return nn.Sequential(*found, head(recipe, fan_in))


def convolutions(recipe: Recipe) -> nn.Module:
    """Return `depth` convolutions of 3 x 3, the second and fourth of stride 2, and the output."""
    found: list[nn.Module] = []
    channels, side = 1, data(recipe.data).inputs.shape[-1]
    for place in range(recipe.depth):
        stride = 2 if place in (1, 3) else 1
        layer = nn.Conv2d(channels, recipe.width, 3, stride, padding=1)
        found.append(initialised(recipe, layer))
        found += [*norm(recipe, recipe.width, pictures=True), activation(recipe)]
        channels, side = recipe.width, -(-side // stride)
    return nn.Sequential(*found, nn.Flatten(), head(recipe, recipe.width * side * side))


class Block(nn.Module):
    """Pre-activation: x + W2 act(norm(W1 act(norm(x)))), or without the x."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        width, pictures = recipe.width, recipe.family == "resconv"
        parts: list[nn.Module] = []
        for _ in range(2):
            layer = nn.Conv2d(width, width, 3, padding=1) if pictures else nn.Linear(width, width)
            parts += [*norm(recipe, width, pictures), activation(recipe)]
            parts.append(initialised(recipe, layer))
        with torch.no_grad():
            layer.weight.mul_(recipe.branch)
        self.branch = nn.Sequential(*parts)
        self.skip = recipe.skip

    def forward(self, inputs: Tensor) -> Tensor:
        found = self.branch(inputs)
        return inputs + found if self.skip else found


def residual(recipe: Recipe) -> nn.Module:
    """Return a stem, `depth` blocks of two layers, and the output layer."""
    width, pictures = recipe.width, recipe.family == "resconv"
    stem = nn.Conv2d(1, width, 3, 2, padding=1) if pictures else nn.Linear(features(recipe), width)
    blocks = nn.Sequential(*[Block(recipe) for _ in range(recipe.depth)])
    after = [*norm(recipe, width, pictures), activation(recipe)]
    pool = [nn.AdaptiveAvgPool2d(2), nn.Flatten()] if pictures else []
    return nn.Sequential(
        initialised(recipe, stem), blocks, *after, *pool, head(recipe, 4 * width if pool else width)
    )


class Transformer(nn.Module):
    """Embedding, positions, encoder layers, the mean over positions, output layer."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        found, width = data(recipe.data), recipe.width
        self.embedding = embedding(found, width)
        self.positions = nn.Parameter(0.02 * torch.randn(found.inputs.shape[1], width))
        layers = [
            nn.TransformerEncoderLayer(
                width, 4, 2 * width, 0.0, batch_first=True, norm_first=recipe.first_norm
            )
            for _ in range(recipe.depth)
        ]
        self.layers = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(width) if recipe.first_norm else nn.Identity()
        self.head = head(recipe, width)

    def forward(self, inputs: Tensor) -> Tensor:
        found = self.layers(self.embedding(inputs) + self.positions)
        return self.head(self.norm(found).mean(1))


class Recurrent(nn.Module):
    """An LSTM or GRU whose last output is read by the output layer."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        found, width = data(recipe.data), recipe.width
        kind = {"lstm": nn.LSTM, "gru": nn.GRU}[recipe.family]
        tokens = found.inputs.dtype == torch.int64
        self.embedding = embedding(found, width) if tokens else nn.Identity()
        fan_in = width if tokens else found.inputs.shape[-1]
        self.core = kind(fan_in, width, recipe.depth, batch_first=True)
        self.head = head(recipe, width)

    def forward(self, inputs: Tensor) -> Tensor:
        found, _ = self.core(self.embedding(inputs))
        return self.head(found[:, -1])


def embedding(found: Data, width: int) -> nn.Module:
    """Return a table for tokens, a linear layer for numbers."""
    if found.inputs.dtype == torch.int64:
        return nn.Embedding(int(found.inputs.max()) + 1, width)
    return nn.Linear(found.inputs.shape[-1], width)


FAMILIES: dict[str, Callable[[Recipe], nn.Module]] = {
    "mlp": mlp,
    "conv": convolutions,
    "resmlp": residual,
    "resconv": residual,
    "transformer": Transformer,
    "lstm": Recurrent,
    "gru": Recurrent,
}
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "momentum": lambda parameters, lr: torch.optim.SGD(parameters, lr, momentum=0.9),
    "adam": torch.optim.Adam,
}
