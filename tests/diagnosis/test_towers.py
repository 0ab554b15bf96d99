"""Healthy graphs that are no chains at their usual start; and a gradient that a graph does lose."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import undertow as ut

WIDTH, WORDS, BLOCKS = 64, 100, 4


class Block(nn.Module):
    """A pre-norm transformer block whose branches are multiplied by `scale`."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.q, self.k, self.v, self.o = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(4))
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm1(x)
        q, k, v = (
            each(h).unflatten(-1, (4, -1)).transpose(1, 2) for each in (self.q, self.k, self.v)
        )
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.scale * self.o(attended.transpose(1, 2).flatten(2))
        return x + self.scale * self.down(F.gelu(self.up(self.norm2(x))))


def language_model(scale: float = 1.0) -> nn.Module:
    torch.manual_seed(0)
    blocks = [Block(scale) for _ in range(BLOCKS)]
    model = nn.Sequential(
        nn.Embedding(WORDS, WIDTH),
        *blocks,
        nn.LayerNorm(WIDTH),
        nn.Linear(WIDTH, WORDS, bias=False),
    )
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, 0, 0.02)
    return model


def next_word(model: nn.Module) -> Tensor:
    words = torch.randint(WORDS, (4, 16), generator=torch.Generator().manual_seed(1))
    return F.cross_entropy(model(words)[:, :-1].flatten(0, 1), words[:, 1:].flatten())


class ActorCritic(nn.Module):
    """Two towers side by side; the actor's head begins a hundred times smaller."""

    def __init__(self) -> None:
        super().__init__()
        self.actor, self.critic = (
            nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
            for _ in range(2)
        )
        self.action, self.value = nn.Linear(64, 2), nn.Linear(64, 1)
        nn.init.orthogonal_(self.action.weight, 0.01)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.action(self.actor(x)), self.value(self.critic(x))


def both_losses(model: nn.Module) -> Tensor:
    states = torch.randn(64, 4, generator=torch.Generator().manual_seed(1))
    logits, values = model(states)
    return F.cross_entropy(logits, (states[:, 0] > 0).long()) + (values[:, 0] - 1).square().mean()


class SeqToSeq(nn.Module):
    """An encoder that a decoder reads through an even attention, so that little comes to it."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(*[Block() for _ in range(2)])
        self.words, self.mix = nn.Embedding(WORDS, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.decoder, self.head = Block(), nn.Linear(WIDTH, WORDS)

    def forward(self, words: Tensor) -> Tensor:
        memory = self.encoder(self.words(words).detach() * 50)
        x = self.words(words)
        return self.head(self.decoder(x + 1e-3 * self.mix(memory.mean(1, keepdim=True))))


def verdict(model: nn.Module, loss: Callable[[nn.Module], Tensor], steps: int = 6) -> ut.Diagnosis:
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    with ut.watch(model, optimizer, every=1) as w:
        for _ in range(steps):
            optimizer.zero_grad()
            found = loss(model)
            found.backward()
            optimizer.step()
            w.log(loss=found)
    return ut.diagnose(w.trace())


@pytest.mark.parametrize(
    ("name", "model", "loss"),
    [
        ("pre-norm transformer at std .02", language_model, next_word),
        ("branches scaled by 1e-6", lambda: language_model(1e-6), next_word),
        ("actor and critic", ActorCritic, both_losses),
        ("encoder and decoder", SeqToSeq, next_word),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_healthy_graph_is_healthy(
    name: str, model: Callable[[], nn.Module], loss: Callable[[nn.Module], Tensor]
):
    torch.manual_seed(0)
    found = verdict(model(), loss)
    assert found.outcome == "healthy", (name, found.root_cause)


def test_a_tower_beside_a_healthy_one_may_have_lost_its_gradient():
    torch.manual_seed(0)
    model = ActorCritic()
    for place in range(8):
        model.critic.insert(4 + place, nn.Sequential(nn.Linear(64, 64), nn.Sigmoid()))
    found = verdict(model, both_losses, steps=60)
    assert found.root_cause is not None
    assert found.root_cause.code == "UT101"
    assert all(name.startswith("critic") for name in found.root_cause.layers)


def test_a_stream_that_loses_its_gradient_is_found():
    """A sigmoid after each sum: the skips carry nothing past it."""

    class Squashed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.head = nn.Linear(4, 32), nn.Linear(32, 2)
            self.blocks = nn.ModuleList([nn.Linear(32, 32) for _ in range(14)])

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x)
            for block in self.blocks:
                x = torch.sigmoid(x + block(x))
            return self.head(x)

    torch.manual_seed(0)

    def loss(model: nn.Module) -> Tensor:
        x = torch.randn(64, 4, generator=torch.Generator().manual_seed(1))
        return F.cross_entropy(model(x), (x[:, 0] > 0).long())

    found = verdict(Squashed(), loss, steps=60)
    assert found.root_cause is not None
    assert found.root_cause.code == "UT101"
