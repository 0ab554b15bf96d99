"""Graphs of many shapes: which way is taken, and what stands where on it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm, weight_norm
from torch.utils.checkpoint import checkpoint

import undertow as ut
from undertow.errors import SpecError


def square(output: Tensor, _: Any) -> Tensor:
    return output.square().mean()


def data(*shape: int, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def dex(after: Any, before: Any) -> float:
    return math.log10(after.detach().norm() / before.detach().norm())


class Three(nn.Module):
    """Layers a, b, c of width 6, wired by a function."""

    def __init__(self, wiring: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.c = (nn.Linear(6, 6) for _ in range(3))
        self.wiring = wiring
        self.double()

    def forward(self, x: Tensor) -> Any:
        return self.wiring(self, x)


def grads(model: Three, loss_fn: Any = square, inputs: Tensor | None = None) -> dict[str, Tensor]:
    """Return dE/dz of each layer, by plain autograd."""
    kept: dict[str, Tensor] = {}
    handles = [
        module.register_forward_hook(lambda _, __, output, name=name: kept.update({name: output}))
        for name, module in model.named_children()
    ]
    loss = loss_fn(model(data(5, 6) if inputs is None else inputs), None)
    for handle in handles:
        handle.remove()
    found = torch.autograd.grad(loss, list(kept.values()))
    return dict(zip(kept, found, strict=True))


def explained(model: nn.Module, loss_fn: Any = square) -> ut.Budget:
    found = ut.explain(model, loss_fn, (data(5, 6), None))
    assert found.closure_error < 1e-12
    return found


def nonzero(layer: Any) -> dict[str, float]:
    return {term: dex for term, dex in layer.terms.items() if abs(dex) > 1e-9}


@pytest.mark.parametrize(
    ("join", "term", "where"),
    [
        (lambda h: h + h, "skip", "around a branch"),
        (lambda h: h - 0.5 * h, "skip", "around a branch"),
        (lambda h: h * h, "fan_out", "2 readers"),
        (lambda h: torch.cat([h, h.sin()], 1)[:, 3:9], "fan_out", "2 readers"),
        (lambda h: h * h.mean(1, keepdim=True), "fan_out", "2 readers"),
    ],
)
def test_how_branches_come_together(join: Any, term: str, where: str):
    model = Three(lambda m, x: m.c(m.b(join(m.a(x).exp()))))
    [layer] = explained(model).layers
    assert abs(layer.terms[term]) > 1e-6
    other = {"skip": "fan_out", "fan_out": "skip"}[term]
    assert layer.terms[other] == 0
    assert where in [part.where for part in layer.parts if part.term == term]
    true = grads(model)
    assert layer.total == pytest.approx(dex(true["a"], true["b"]), abs=1e-12)


def test_a_tensor_added_to_itself():
    model = Three(lambda m, x: m.c(m.b((h := m.a(x)) + h)))
    [layer] = explained(model).layers
    assert layer.terms["skip"] == pytest.approx(math.log10(2), abs=1e-12)


def test_a_second_loss_is_no_skip():
    def loss_fn(output: Any, _: Any) -> Tensor:
        return output[0].square().mean() + output[1].square().mean()

    model = Three(lambda m, x: (m.c(m.b(h := m.a(x).tanh())), h))
    [layer] = explained(model, loss_fn).layers
    assert layer.terms["skip"] == 0
    true, alone = grads(model, loss_fn), grads(model, lambda output, _: square(output[0], _))
    h = model.a(data(5, 6)).tanh()
    at_h = true["b"] @ model.b.weight
    both = at_h + 2 * h / h.numel()
    assert layer.terms["fan_out"] == pytest.approx(dex(both, at_h), abs=1e-12)
    assert torch.equal(alone["b"], true["b"])


def test_a_skip_around_the_last_layer_is_one():
    model = Three(lambda m, x: m.c((h := m.a(x).tanh()) + m.b(h)))
    [layer] = explained(model).layers
    true = grads(model)
    at_h = true["b"] @ model.b.weight
    assert layer.terms["skip"] == pytest.approx(dex(at_h + true["b"], at_h), abs=1e-12)
    assert layer.terms["fan_out"] == 0


def test_a_matrix_that_is_no_weight_is_not_called_one():
    """The adjacency of a graph network, a fixed transform."""
    mixing = data(5, 5, seed=3)
    model = Three(lambda m, x: m.c(m.b(mixing @ m.a(x))))
    [layer] = explained(model).layers
    true = grads(model)
    back = true["b"] @ model.b.weight
    scale = dex(model.b.weight, torch.ones(6).double())
    assert nonzero(layer) == pytest.approx(
        {
            "weight_scale": scale,
            "alignment": dex(back, true["b"]) - scale,
            "other": dex(mixing.T @ back, back),
        },
        abs=1e-12,
    )
    assert [part.where for part in layer.parts if part.term == "other"] == ["mm"]


def test_a_product_with_data_of_another_branch_is_not_called_weights():
    """Attention to what a layer of its own has made."""
    model = Three(lambda m, x: m.c(m.b(m.a(x).tanh())))
    model.key = nn.Linear(6, 6, dtype=torch.float64)
    side = data(5, 6, seed=4)
    model.wiring = lambda m, x: m.c(m.b(m.key(side).T @ m.a(x)))  # pyright: ignore
    [layer] = explained(model).layers
    assert len([part for part in layer.parts if part.term == "weight_scale"]) == 1
    assert layer.terms["other"]


def test_a_parameter_without_a_layer_is_weights():
    model = Three(lambda m, x: m.c(m.b(m.a(x).tanh() @ m.mix)))
    model.mix = nn.Parameter(data(6, 6, seed=5))
    [layer] = explained(model).layers
    found = {part.where: part.dex for part in layer.parts if part.term == "weight_scale"}
    assert found == pytest.approx(
        {
            "b": dex(model.b.weight, torch.ones(6).double()),
            "mm": dex(model.mix, torch.ones(6).double()),
        }
    )


@pytest.mark.parametrize("wrapped", [weight_norm, spectral_norm])
def test_a_layer_whose_weight_is_made_anew_is_a_layer(wrapped: Any):
    model = Three(lambda m, x: m.c(m.b(m.a(x).tanh()).tanh()))
    model.b = wrapped(model.b)
    model.eval()
    found = explained(model)
    assert (found.first, found.last) == ("a", "b")
    true = grads(model)
    assert found.total_dex == pytest.approx(dex(true["a"], true["b"]), abs=1e-12)
    scale = dex(model.b.weight, torch.ones(6).double())
    assert found.totals()["weight_scale"] == pytest.approx(scale, abs=1e-12)
    assert [weight.name for weight in found.weights] == ["a", "c"]


def test_a_weight_that_is_used_elsewhere_too_has_no_one_delta():
    tied = Three(lambda m, x: m.c(F.linear(m.b(m.a(x).tanh()).tanh(), m.a.weight)))
    assert [weight.name for weight in explained(tied).weights] == ["b", "c"]
    plain = Three(lambda m, x: m.c(m.b(m.a(x).tanh())))
    found = explained(plain, lambda output, _: square(output, _) + plain.b.weight.square().sum())
    assert [weight.name for weight in found.weights] == ["a", "c"]


def test_a_module_that_gives_out_what_a_layer_in_it_made():
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.inner = nn.Parameter(2 * torch.ones(6).double()), nn.Linear(6, 6)

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x * self.weight)

    torch.manual_seed(0)
    model = nn.Sequential(Scaled(), Scaled(), Scaled()).double()
    found = explained(model)
    assert (found.first, found.last) == ("0.inner", "1.inner")
    assert [layer.name for layer in found.layers] == ["0.inner"]
    assert found.layers[0].terms["other"] == pytest.approx(math.log10(2), abs=1e-12)
    assert not found.beside


def test_of_several_ways_the_one_through_most_layers():
    def wiring(m: Any, x: Tensor) -> Tensor:
        h = m.a(x).tanh()
        return m.c(m.last(100 * m.side(h) + m.b2(m.b(h).tanh())))

    model = Three(wiring)
    for name in ("side", "b2", "last"):
        setattr(model, name, nn.Linear(6, 6, dtype=torch.float64))
    found = explained(model)
    assert [layer.name for layer in found.layers] == ["a", "b", "b2"]
    assert found.beside == ("side",)


def test_a_way_on_which_nothing_comes_is_none():
    """A residual branch that begins at 0 lets all through beside it."""
    model: Any = Three(lambda m, x: m.c(m.last((h := m.a(x)) + m.b(h).tanh() * m.gate)))
    model.last, model.gate = nn.Linear(6, 6, dtype=torch.float64), nn.Parameter(torch.zeros(6))
    found = explained(model)
    assert [layer.name for layer in found.layers] == ["a"]
    assert found.beside == ("b",)


def test_checkpoints():
    plain = Three(lambda m, x: m.c(m.b(m.a(x).tanh()).sigmoid()))
    wanted = explained(plain)

    def part(m: Three, x: Tensor) -> Tensor:
        return m.b(m.a(x).tanh()).sigmoid()

    found = explained(Three(lambda m, x: m.c(checkpoint(part, m, x, use_reentrant=False))))
    assert found.layers == wanted.layers
    model = Three(lambda m, x: m.c(checkpoint(part, m, m.b(x), use_reentrant=True)))
    with pytest.raises(SpecError, match="type  use_reentrant=False"):
        explained(model)


def test_a_loss_that_takes_derivatives_itself():
    inputs = data(5, 6).requires_grad_()

    def loss_fn(output: Tensor, _: Any) -> Tensor:
        [slope] = torch.autograd.grad(output.sum(), inputs, create_graph=True)
        return slope.square().mean() + output.square().mean()

    model = Three(lambda m, x: m.c(m.b(m.a(x).tanh()).tanh()))
    found = ut.explain(model, loss_fn, (inputs, None))
    true = grads(model, loss_fn, inputs)
    assert found.total_dex == pytest.approx(dex(true["a"], true["b"]), abs=1e-12)
    assert found.closure_error < 1e-12
    assert inputs.grad is None


def test_a_function_with_a_backward_of_its_own():
    class Reversed(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            return -3 * grads[0]

    [layer] = explained(Three(lambda m, x: m.c(m.b(Reversed.apply(m.a(x)))))).layers
    assert layer.terms["other"] == pytest.approx(math.log10(3), abs=1e-12)
    assert [part.where for part in layer.parts if part.term == "other"] == ["reversed"]


def test_a_function_that_gives_no_gradient_back():
    class Stops(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            return None

    with pytest.raises(ut.UndertowError, match="the gradient is 0 from 'a' on"):
        explained(Three(lambda m, x: m.c(m.b(Stops.apply(m.a(x))))))


def test_a_pass_that_does_not_count():
    """Calls that the loss does not come from are not numbered."""

    def wiring(m: Three, x: Tensor) -> Tensor:
        m.b(m.a(x))
        return m.c(m.b(m.a(x).tanh()))

    found = explained(Three(wiring))
    assert (found.first, found.last) == ("a", "b")


@pytest.mark.parametrize("shape", [(9, 5), (3, 4, 5)])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.Hardtanh, nn.LeakyReLU, nn.SiLU])
def test_in_place_or_not_is_the_same(activation: Any, shape: tuple[int, ...]):
    torch.manual_seed(0)
    linear = [nn.Linear(*each, dtype=torch.float64) for each in ((5, 8), (8, 8), (8, 8), (8, 2))]

    def build(in_place: bool) -> nn.Module:
        parts = [part for each in linear for part in (each, activation(inplace=in_place))]
        return nn.Sequential(*parts[:-1])

    wanted, found = (ut.explain(build(each), square, (data(*shape), 0)) for each in (False, True))
    assert [layer.name for layer in found.layers] == ["0", "2"]
    assert [layer.total for layer in found.layers] == pytest.approx(
        [layer.total for layer in wanted.layers], abs=1e-12
    )
    if activation is not nn.LeakyReLU:
        for one, other in zip(wanted.layers, found.layers, strict=True):
            assert other.terms == pytest.approx(one.terms, abs=1e-12)


def test_a_function_in_place_on_a_view_loses_no_layer():
    class InPlace(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(4, 4, dtype=torch.float64) for _ in range(3))

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.layers:
                x = torch.tanh_(layer(x))
            return x

    torch.manual_seed(0)
    model, inputs = InPlace(), data(2, 3, 4)
    found = ut.explain(model, square, (inputs, 0))
    same = nn.Sequential(*(part for each in model.layers for part in (each, nn.Tanh())))
    assert found.total_dex == pytest.approx(
        ut.explain(same, square, (inputs, 0)).total_dex, abs=1e-12
    )
    assert (found.first, found.last, len(found.layers)) == ("layers.0", "layers.1", 1)
    assert found.closure_error < 1e-12
