"""Networks of every kind, and what plain autograd says of their deltas."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import undertow as ut


def square(output: Any, _: Any) -> Tensor:
    return output.square().mean()


def data(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def deltas(model: nn.Module, loss_fn: Callable[..., Tensor], batch: Any) -> dict[str, Tensor]:
    """Return dE/dz of every module's call, by `retain_grad` on what the module put out.

    What works in place on the output would be seen instead of it: not for such models.
    """
    kept: dict[str, list[Tensor]] = {}

    def keep(name: str, output: Any) -> None:
        flat = [output] if isinstance(output, Tensor) else [output[0], *output[1:]]
        flat = [part for each in flat for part in (each if isinstance(each, tuple) else (each,))]
        found = [each for each in flat if each is not None and each.requires_grad]
        for each in found:
            each.retain_grad()
        count = sum(key.partition("#")[0] == name for key in kept)
        kept[name + (f"#{count + 1}" if count else "")] = found

    handles = [
        module.register_forward_hook(lambda _, __, output, name=name: keep(name, output))
        for name, module in model.named_modules()
    ]
    loss_fn(model(batch[0]), batch[1]).backward()
    for handle in handles:
        handle.remove()
    model.zero_grad()
    grads = {name: [each.grad for each in found] for name, found in kept.items()}
    # Of several outputs, as an LSTM has them, the first that is used.
    return {
        name: next(grad for grad in found if grad is not None)
        for name, found in grads.items()
        if any(grad is not None for grad in found)
    }


def dex(after: Tensor, before: Tensor) -> float:
    return math.log10(after.double().norm() / before.double().norm())


def check(model: nn.Module, batch: Any, loss_fn: Any = square, seed: int = 7) -> ut.Budget:
    """Hold a budget against plain autograd: the total, each layer, and that all closes."""
    torch.manual_seed(seed)
    found = ut.explain(model, loss_fn, batch)
    torch.manual_seed(seed)
    true = deltas(model, loss_fn, batch)
    is_double = next(model.parameters()).dtype == torch.float64
    near = 1e-12 if is_double else 1e-5
    assert abs(found.total_dex - dex(true[found.first], true[found.last])) < near
    assert found.closure_error < near
    above = [layer.name for layer in found.layers[1:]] + [found.last]
    for layer, next_ in zip(found.layers, above, strict=True):
        assert abs(layer.total - sum(layer.terms.values())) < near
        assert abs(layer.total - sum(part.dex for part in layer.parts)) < near
        assert abs(layer.total - dex(true[layer.name], true[next_])) < near, layer.name
    assert abs(sum(layer.total for layer in found.layers) - found.total_dex) < near
    assert found.layers[0].name == found.first
    return found


class Residual(nn.Module):
    """A stem, blocks x + linear(relu(norm(x))), a head."""

    def __init__(self, blocks: int = 3, width: int = 12, norm: Any = nn.BatchNorm1d) -> None:
        super().__init__()
        self.stem = nn.Linear(5, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(norm(width), nn.ReLU(), nn.Linear(width, width)) for _ in range(blocks)
        )
        self.head = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(x)


class Dense(nn.Module):
    """Each layer reads what all before it have put out, side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4 * (i + 1), 4) for i in range(4))
        self.head = nn.Linear(20, 2)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.cat([x, layer(x).tanh()], 1)
        return self.head(x)


class Twice(nn.Module):
    """One layer, called twice, between two others."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.shared, self.last = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.shared(self.first(x).tanh()).tanh()
        return self.last(self.shared(x).tanh())


class Recurrent(nn.Module):
    """Words, a recurrent core, a normalisation, words."""

    def __init__(self, core: Any, *, states: bool = False, layers: int = 2) -> None:
        super().__init__()
        self.words, self.core = nn.Embedding(11, 6), core(6, 6, layers, batch_first=True)
        self.norm, self.head, self.states = nn.LayerNorm(6), nn.Linear(6, 11), states

    def forward(self, x: Tensor) -> Tensor:
        output, state = self.core(self.words(x))
        state = state[0] if isinstance(state, tuple) else state
        return self.head(self.norm(state[-1] if self.states else output).tanh())


def chain(*parts: nn.Module) -> nn.Sequential:
    return nn.Sequential(*parts)


def mlp(activation: nn.Module, depth: int = 5, width: int = 8) -> Any:
    hidden = [part for _ in range(depth - 1) for part in (nn.Linear(width, width), activation)]
    return chain(nn.Linear(4, width), activation, *hidden, nn.Linear(width, 2))


def encoder(*, first: bool) -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=first)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


def every_kind() -> dict[str, tuple[Callable[[], nn.Module], Tensor]]:
    """Return how to make each network, and what it reads."""
    image, words = data(3, 3, 9, 9), torch.arange(15).reshape(3, 5) % 11
    sequence, row = data(3, 5, 4), data(9, 4)
    conv = nn.Conv2d
    small = nn.Flatten
    return {
        "sigmoid": (lambda: mlp(nn.Sigmoid()), row),
        "gelu": (lambda: mlp(nn.GELU()), row),
        "elu": (lambda: mlp(nn.ELU()), row),
        "hardswish": (lambda: mlp(nn.Hardswish()), row),
        "softsign": (lambda: mlp(nn.Softsign()), row),
        "prelu": (lambda: mlp(nn.PReLU()), row),
        "softplus": (lambda: mlp(nn.Softplus(2)), row),
        "sequence": (lambda: mlp(nn.SiLU()), sequence),
        "one sample": (lambda: mlp(nn.Tanh()), data(4)),
        "without biases": (lambda: chain(*(nn.Linear(4, 4, bias=False) for _ in range(4))), row),
        "residual": (Residual, data(16, 5)),
        "residual eval": (lambda: Residual().eval(), data(16, 5)),
        "residual rms": (lambda: Residual(norm=nn.RMSNorm), data(16, 5)),
        "residual layer": (lambda: Residual(norm=nn.LayerNorm), data(16, 5)),
        "dropout": (lambda: chain(*mlp(nn.ReLU())[:3], nn.Dropout(0.4), *mlp(nn.ReLU())[2:]), row),
        "dense": (Dense, row),
        "twice": (Twice, row),
        "pre-norm encoder": (lambda: encoder(first=True), data(3, 5, 8)),
        "post-norm encoder": (lambda: encoder(first=False), data(3, 5, 8)),
        "lstm": (lambda: Recurrent(nn.LSTM), words),
        "gru": (lambda: Recurrent(nn.GRU), words),
        "lstm's last state": (lambda: Recurrent(nn.LSTM, states=True, layers=1), words),
        "gru's last state": (lambda: Recurrent(nn.GRU, states=True), words),
        "batch norm": (
            lambda: chain(conv(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
                          conv(6, 4, 2), nn.BatchNorm2d(4), small(), nn.Linear(16, 2)),
            image,
        ),
        "group norm": (
            lambda: chain(conv(3, 6, 3), nn.GroupNorm(2, 6), nn.GELU(), conv(6, 4, 7), small(),
                          nn.Linear(4, 2)),
            image,
        ),
        "layer norm": (
            lambda: chain(conv(3, 6, 3), nn.LayerNorm([6, 7, 7]), nn.ReLU(), conv(6, 4, 7),
                          small(), nn.LayerNorm(4), nn.Linear(4, 2)),
            image,
        ),
        "instance norm": (
            lambda: chain(conv(3, 6, 3), nn.InstanceNorm2d(6, affine=True), nn.Tanh(),
                          conv(6, 4, 3), nn.InstanceNorm2d(4), small(), nn.Linear(100, 2)),
            image,
        ),
        "grouped": (
            lambda: chain(conv(3, 6, 3, padding=1), nn.Tanh(), conv(6, 6, 3, groups=3, stride=2),
                          nn.Tanh(), conv(6, 4, 1), small(), nn.Linear(64, 2)),
            image,
        ),
        "transposed": (
            lambda: chain(conv(3, 4, 3, 2), nn.Tanh(), nn.ConvTranspose2d(4, 6, 3, 2), nn.Tanh(),
                          nn.ConvTranspose2d(6, 4, 2), conv(4, 1, 3)),
            image,
        ),
        "1d": (
            lambda: chain(nn.Conv1d(5, 6, 2), nn.Tanh(), nn.Conv1d(6, 4, 2), nn.Tanh(),
                          nn.ConvTranspose1d(4, 2, 2), nn.Conv1d(2, 2, 1)),
            sequence,
        ),
        "3d": (
            lambda: chain(nn.Conv3d(2, 4, 2), nn.Tanh(), nn.BatchNorm3d(4),
                          nn.Conv3d(4, 2, 2), nn.Tanh(), nn.Conv3d(2, 1, 1)),
            data(2, 2, 4, 4, 4),
        ),
    }  # fmt: skip


def cross_entropy(output: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(output, targets)
