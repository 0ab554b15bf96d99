"""Edges between layers, against drawings of small networks as people build them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import undertow as ut
from undertow.trace.dataflow import edges_of

Found = dict[tuple[str, str], float | str | None]


class Written(nn.Module):
    """A network of named layers and a forward pass written out."""

    def __init__(self, forward: Callable[[Any, Tensor], Tensor], **layers: Any) -> None:
        super().__init__()
        self.written = forward
        for name, layer in layers.items():
            self.register_module(name, layer) if isinstance(layer, nn.Module) else setattr(
                self, name, layer
            )

    def forward(self, x: Tensor) -> Tensor:
        return self.written(self, x)


def linear(inputs: int = 6, outputs: int = 6) -> nn.Linear:
    return nn.Linear(inputs, outputs)


def edges(forward: Callable[[Any, Tensor], Tensor], **layers: Any) -> Found:
    """Return {(source, target): "reads", or the scale of a skip}."""
    torch.manual_seed(0)
    model = Written(forward, **layers)
    batch = torch.randn(5, 6), torch.zeros(5)
    trace = ut.probe(model, lambda out, _: out.square().mean(), batch)
    return {
        (each.source, each.target): each.scale if each.skip else "reads"
        for each in edges_of(trace.attributes)
    }


def test_a_chain():
    found = edges(lambda m, x: m.c(m.b(m.a(x).relu()).tanh()), a=linear(), b=linear(), c=linear())
    assert found == {("a", "b"): "reads", ("b", "c"): "reads"}


def test_a_residual_block_scaled_by_a_number():
    def forward(m: Any, x: Tensor) -> Tensor:
        x = m.a(x)
        x = x + 0.25 * m.c(m.b(x).relu())
        return m.d(x)

    found = edges(forward, a=linear(), b=linear(), c=linear(), d=linear())
    assert found == {
        ("a", "b"): "reads",
        ("b", "c"): "reads",
        ("a", "c"): 0.25,
        ("c", "d"): "reads",
    }


def test_a_layer_scale_is_the_root_mean_square_of_its_entries():
    gamma = nn.Parameter(torch.tensor([3e-6, 4e-6] * 3))

    def forward(m: Any, x: Tensor) -> Tensor:
        x = m.a(x)
        return m.c(x + m.gamma * m.b(x))

    found = edges(forward, a=linear(), b=linear(), c=linear(), gamma=gamma)
    assert found[("a", "b")] == torch.tensor([3e-6, 4e-6]).double().square().mean().sqrt().item()
    assert ("b", "c") in found


def test_a_product_of_two_layers_is_no_scale():
    def forward(m: Any, x: Tensor) -> Tensor:
        x = m.a(x)
        return m.d(x + m.b(x) * m.c(x).sigmoid())

    found = edges(forward, a=linear(), b=linear(), c=linear(), d=linear())
    # What is added is made of later layers, of which none joins as it is: all are read.
    assert found == {
        ("a", "b"): "reads",
        ("a", "c"): "reads",
        ("a", "d"): "reads",
        ("b", "d"): "reads",
        ("c", "d"): "reads",
    }


def test_two_towers_have_no_edge_between_them():
    def forward(m: Any, x: Tensor) -> Tensor:
        return torch.stack([m.actor(x).mean(), m.critic(x).mean()])

    def tower() -> nn.Sequential:
        return nn.Sequential(linear(), nn.Tanh(), linear())

    found = edges(forward, actor=tower(), critic=tower())
    assert found == {
        ("actor.0", "actor.2"): "reads",
        ("critic.0", "critic.2"): "reads",
    }


def test_an_attention_reads_three_layers_at_once():
    def forward(m: Any, x: Tensor) -> Tensor:
        q, k, v = (each(x)[:, None] for each in (m.q, m.k, m.v))
        return m.o(F.scaled_dot_product_attention(q, k, v)[:, 0])

    found = edges(forward, q=linear(), k=linear(), v=linear(), o=linear())
    assert found == {("q", "o"): "reads", ("k", "o"): "reads", ("v", "o"): "reads"}


def test_a_sum_with_what_is_broadcast_is_none_of_two_streams():
    def forward(m: Any, x: Tensor) -> Tensor:
        x = m.a(x)
        return m.c(x + m.b(x.mean(0, keepdim=True)))

    found = edges(forward, a=linear(), b=linear(), c=linear())
    assert found[("a", "c")] == found[("b", "c")] == "reads"
    assert found[("a", "b")] == "reads"


def test_a_layer_called_again_has_a_row_of_its_own():
    found = edges(lambda m, x: m.b(m.a(m.a(x).relu())), a=linear(), b=linear())
    assert found == {("a", "a#2"): "reads", ("a#2", "b"): "reads"}


def test_a_dense_block_reads_all_before_it():
    def forward(m: Any, x: Tensor) -> Tensor:
        one = m.a(x)
        two = m.b(one)
        return m.c(torch.cat([one, two], 1))

    found = edges(forward, a=linear(), b=linear(), c=linear(12, 1))
    assert found == {("a", "b"): "reads", ("a", "c"): "reads", ("b", "c"): "reads"}


def watched(model: nn.Module, optimizers: list, step: Callable[[], None], steps: int = 2) -> Found:
    with ut.watch(model, optimizers if len(optimizers) > 1 else optimizers[0], every=1) as w:
        for _ in range(steps):
            step()
    return {
        (each.source, each.target): each.scale if each.skip else "reads"
        for each in edges_of(w.trace().attributes)
    }


def test_a_watch_records_edges_and_what_is_reached_later():
    torch.manual_seed(0)
    model = nn.ModuleDict({"a": linear(), "b": linear(), "late": linear()})
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    count = iter(range(9))

    def step() -> None:
        optimizer.zero_grad()
        x = model["b"](model["a"](torch.randn(4, 6)).tanh())
        if next(count) > 1:
            x = model["late"](x)
        x.square().mean().backward()
        optimizer.step()

    assert watched(model, [optimizer], step) == {("a", "b"): "reads"}
    found = watched(model, [optimizer], step, steps=4)
    assert found == {("a", "b"): "reads", ("b", "late"): "reads"}


@pytest.mark.parametrize("generator_first", [False, True])
def test_what_counts_in_different_passes_has_no_edge(generator_first: bool):
    """A generator's pass goes through the critic, whose own pass comes before or after it."""
    torch.manual_seed(0)
    model = nn.ModuleDict({"generator": linear(), "critic": nn.Sequential(linear(), linear(6, 1))})
    optimizers = [torch.optim.SGD(each.parameters(), 0.01) for each in model.values()]

    def generate() -> None:
        optimizers[0].zero_grad()
        (-model["critic"](model["generator"](torch.randn(4, 6))).mean()).backward()
        optimizers[0].step()

    def judge() -> None:
        optimizers[1].zero_grad()
        made = model["generator"](torch.randn(4, 6)).detach()
        (model["critic"](made).mean() - model["critic"](torch.randn(4, 6)).mean()).backward()
        optimizers[1].step()

    def step() -> None:
        for each in (generate, judge) if generator_first else (judge, generate):
            each()

    found = watched(model, optimizers, step)
    assert ("critic.0", "critic.1") in found
    assert not any(source == "generator" for source, _ in found)
