"""A budget closes on any network, and agrees with plain autograd; bad use is one line."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import undertow as ut
from tests.verbs.nets import Twice, chain, check, data, deltas, dex, every_kind, mlp, square
from undertow.errors import SpecError, UndertowError

KINDS = every_kind()


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_it_closes_and_is_what_autograd_says(kind: str, double: bool):
    make, inputs = KINDS[kind]
    torch.manual_seed(0)
    model = make()
    if double:
        model, inputs = model.double(), inputs.double() if inputs.is_floating_point() else inputs
    found = check(model, (inputs, None))
    assert found.layers
    json.dumps(found.document(), allow_nan=False)


@pytest.mark.parametrize("kind", ["gelu", "residual", "lstm"])
def test_the_size_of_the_loss_does_not_matter(kind: str):
    make, inputs = KINDS[kind]
    torch.manual_seed(0)
    model = make().double()
    inputs = inputs.double() if inputs.is_floating_point() else inputs
    plain = ut.explain(model, square, (inputs, None))
    thousand = ut.explain(model, lambda output, _: 1000 * square(output, _), (inputs, None))
    assert thousand.total_dex == pytest.approx(plain.total_dex, abs=1e-12)
    for one, other in zip(plain.layers, thousand.layers, strict=True):
        assert other.terms == pytest.approx(one.terms, abs=1e-12)
    for one, other in zip(plain.weights, thousand.weights, strict=True):
        assert other.grad == pytest.approx(one.grad + 3, abs=1e-12)
        assert other.coherence == pytest.approx(one.coherence, abs=1e-12)


ACTIVATIONS = {
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "selu": nn.SELU,
    "linear": nn.Identity,
}


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    widths=st.lists(st.integers(6, 12), min_size=3, max_size=7),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    bias=st.booleans(),
    batch=st.integers(1, 9),
    gain=st.floats(0.5, 2.0),
    seed=st.integers(0, 99),
)
def test_any_chain(
    widths: list[int], activation: str, bias: bool, batch: int, gain: float, seed: int
):
    torch.manual_seed(seed)
    parts: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        parts += [nn.Linear(fan_in, fan_out, bias=bias, dtype=torch.float64)]
        nn.init.normal_(parts[-1].weight, 0, gain * fan_in**-0.5)  # pyright: ignore
        parts += [ACTIVATIONS[activation]()]
    model = chain(*parts, nn.Linear(widths[-1], 2, dtype=torch.float64))
    found = check(model, (data(batch, widths[0], seed=seed).double(), None))
    assert [layer.name for layer in found.layers] == [str(2 * i) for i in range(len(widths) - 2)]
    assert {layer.activation for layer in found.layers} == {activation}
    used = {"ceiling", "saturation", "covariance", "weight_scale", "alignment"}
    assert all(not value for term, value in found.totals().items() if term not in used)
    samples = 0.5 * math.log10(batch)
    assert all(weight.coherence < samples + 1e-12 for weight in found.weights)


def test_several_inputs_and_named_ones():
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rest = mlp(nn.Tanh())

        def forward(self, left: Tensor, right: Tensor) -> Tensor:
            return self.rest(left + right)

    model, inputs = Sum(), data(9, 4)
    one = ut.explain(model, square, ((inputs, inputs), None))
    named = ut.explain(model, square, ({"left": inputs, "right": inputs}, None))
    assert one.document() == named.document()
    assert one.first == "rest.0"


def test_within_no_grad_too():
    model, batch = mlp(nn.Tanh()), (data(9, 4), None)
    wanted = ut.explain(model, square, batch).document()
    with torch.no_grad():
        assert ut.explain(model, square, batch).document() == wanted


def test_a_layer_called_twice_is_two():
    torch.manual_seed(0)
    found = check(Twice().double(), (data(9, 4).double(), None))
    assert [layer.name for layer in found.layers] == ["first", "shared"]
    assert found.last == "shared#2"
    assert [weight.name for weight in found.weights] == ["first", "last"]


@pytest.mark.parametrize("kind", ["lstm's last state", "gru's last state"])
def test_of_several_outputs_the_one_that_is_used(kind: str):
    make, words = KINDS[kind]
    torch.manual_seed(0)
    assert [layer.name for layer in check(make(), (words, None)).layers] == ["words", "core"]


def test_the_weight_scale_from_critical():
    """He's criterion for ReLU, 1 for tanh, Selu's own: scale^2 times fan-in against the theory."""
    for activation, variance in ((nn.ReLU(), 2.0), (nn.Tanh(), 1.0), (nn.LeakyReLU(0.5), 1.6)):
        torch.manual_seed(0)
        model = mlp(activation, depth=3).double()
        found = ut.explain(model, square, (data(9, 4).double(), None))
        for layer, above in zip(found.layers, (model[2], model[4]), strict=True):
            own = 8 * above.weight.square().mean().item()  # pyright: ignore
            assert layer.from_critical == pytest.approx(0.5 * math.log10(own / variance), abs=1e-9)


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (nn.SELU(), "selu"),
        (nn.ELU(), "elu"),
        (nn.ELU(2.0), "elu(2)"),
        (nn.ReLU6(), "relu6"),
        (nn.Hardtanh(), "hard_tanh"),
        (nn.Hardtanh(-2, 3), "hard_tanh(-2, 3)"),
        (nn.LeakyReLU(), "leaky_relu"),
        (nn.LeakyReLU(0.3), "leaky_relu(0.3)"),
        (nn.Sequential(nn.Sigmoid(), nn.Tanh()), "tanh"),
        (nn.Softsign(), "linear"),
        (nn.BatchNorm1d(8, affine=False), "linear"),
    ],
)
def test_activations_are_told_apart(parts: nn.Module, name: str):
    torch.manual_seed(0)
    found = ut.explain(chain(*mlp(parts, depth=2)), square, (data(9, 4), None))
    assert [layer.activation for layer in found.layers] == [name]
    is_known = name in ("selu", "elu", "hard_tanh", "leaky_relu", "leaky_relu(0.3)")
    assert (found.layers[0].from_critical is not None) == is_known


def test_a_scale_that_a_normalisation_undoes_is_not_judged():
    torch.manual_seed(0)
    parts: list[Any] = [nn.Linear(4, 8)]
    for _ in range(3):
        parts += [nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 8)]
    found = check(chain(*parts), (data(9, 4), None))
    by_name = {layer.name: layer for layer in found.layers}
    # 1's weights are those of 3, which the normalisation 4 reads.
    assert by_name["1"].terms["weight_scale"]
    assert by_name["1"].from_critical is None
    scaled = chain(*parts)
    with torch.no_grad():
        scaled[3].weight *= 100  # pyright: ignore
        scaled[3].bias *= 100  # pyright: ignore
    after = ut.explain(scaled, square, (data(9, 4), None))
    assert after.total_dex == pytest.approx(found.total_dex, abs=1e-2)


def test_activation_larger_than_one():
    """A leak of 2 is the ceiling."""
    torch.manual_seed(0)
    model = mlp(nn.LeakyReLU(2.0), depth=3).double()
    found = check(model, (data(9, 4).double(), None))
    assert found.totals()["ceiling"] == pytest.approx(2 * math.log10(2))
    assert found.totals()["saturation"] < 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype: torch.dtype):
    torch.manual_seed(0)
    model = mlp(nn.GELU(), depth=3)
    wanted = ut.explain(model, square, (data(9, 4), None))
    found = ut.explain(
        model.to(dtype), lambda output, _: output.float().square().mean(), (data(9, 4).to(dtype), 0)
    )
    assert found.total_dex == pytest.approx(wanted.total_dex, abs=0.02)
    assert found.closure_error < 1e-5


def test_a_dead_side_branch_is_null_in_the_document():
    class Beside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.main, self.side = mlp(nn.Tanh()), mlp(nn.ReLU())
            nn.init.constant_(self.side[0].bias, -100.0)  # pyright: ignore

        def forward(self, x: Tensor) -> Tensor:
            return self.side(x) + self.main(x)

    found = check(Beside(), (data(9, 4), None))
    document = json.loads(json.dumps(found.document(), allow_nan=False))
    nothing = next(each for each in document["weights"] if each["name"] == "side.0")
    assert nothing["grad"] is None
    assert nothing["coherence"] is None
    assert "side.0" in found.beside


def dead() -> nn.Module:
    model = mlp(nn.ReLU())
    nn.init.constant_(model[4].bias, -100.0)  # pyright: ignore
    return model


BATCH = data(9, 4), None


@pytest.mark.parametrize(
    ("model", "loss", "batch", "message"),
    [
        (mlp(nn.Tanh()), square, BATCH[0], "batch: must be a pair (inputs, targets)"),
        (mlp(nn.Tanh()), lambda output, _: output, BATCH, "loss_fn gave shape (9, 2): must be"),
        (mlp(nn.Tanh()), lambda output, _: 1.0, BATCH, "loss_fn gave float: must be"),
        (mlp(nn.Tanh()), lambda o, _: o.detach().sum(), BATCH, "loss_fn: no weight takes part"),
        (lambda inputs: inputs, square, BATCH, "model of type function"),
        (nn.Tanh(), square, BATCH, "Tanh has no parameter that is a weight"),
        (nn.Linear(4, 2), square, BATCH, "no hidden layer lies behind another"),
        (chain(nn.Linear(4, 3), nn.Linear(3, 2)), square, BATCH, "no hidden layer lies behind"),
        (mlp(nn.Tanh()), square, (torch.full((9, 4), math.nan), 0), "no decades to share out: the "
         "gradient is NaN or Inf from '8'"),
        (dead(), square, BATCH, "no decades to share out: the gradient is 0 from '4' on towards"),
    ],
)  # fmt: skip
def test_bad_use_is_one_line(model: object, loss: object, batch: object, message: str):
    with pytest.raises(UndertowError) as error:
        ut.explain(model, loss, batch)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_compiled_model_is_refused():
    with pytest.raises(SpecError, match="^the model is compiled, and compiled code shows no lay"):
        ut.explain(torch.compile(mlp(nn.Tanh()), backend="eager"), square, BATCH)


def test_what_is_too_small_for_its_type_is_told_from_what_is_0():
    torch.manual_seed(0)
    deep = chain(*(part for _ in range(120) for part in (nn.Linear(10, 10), nn.Sigmoid())))
    deep.append(nn.Linear(10, 1))
    with pytest.raises(UndertowError, match="too small for float32 and becomes 0 from '"):
        ut.explain(deep, square, (data(9, 10), None))
    found = check(deep.double(), (data(9, 10).double(), None))
    assert found.total_dex < -70


def test_a_forward_pass_without_a_way_back():
    with torch.inference_mode(), pytest.raises(SpecError, match="inference_mode"):
        ut.explain(mlp(nn.Tanh()), square, (data(9, 4), None))


def test_the_scale_of_a_frozen_layer_counts():
    torch.manual_seed(0)
    model = mlp(nn.Tanh()).double()
    batch = data(9, 4).double(), None
    wanted = ut.explain(model, square, batch)
    model[4].requires_grad_(False)
    assert ut.explain(model, square, batch).layers == wanted.layers
    model.requires_grad_(False)
    inputs = batch[0].requires_grad_()
    found = ut.explain(model, square, (inputs, None))
    assert found.layers == wanted.layers
    assert found.total_dex == wanted.total_dex
    assert not found.weights
    assert inputs.grad is None


def test_of_a_frozen_first_part_the_rest():
    torch.manual_seed(0)
    model = mlp(nn.Tanh()).double()
    model[0].requires_grad_(False)
    batch = data(9, 4).double(), None
    found = ut.explain(model, square, batch)
    true = deltas(model, square, batch)
    assert found.first == "2"
    assert found.total_dex == pytest.approx(dex(true["2"], true["8"]), abs=1e-12)
