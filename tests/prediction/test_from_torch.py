"""Modules are read as the specifications they are, and what cannot be read is named."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import undertow as ut
from undertow.errors import SpecError
from undertow.prediction.from_spec import chain as chain_of_spec
from undertow.prediction.from_torch import chain

WIDTH = 200


def stack(*between: type[nn.Module], last: bool = True) -> nn.Sequential:
    torch.manual_seed(0)
    parts: list[nn.Module] = [nn.Flatten()]
    for fan_in in (64, WIDTH, WIDTH):
        parts.append(nn.Linear(fan_in, WIDTH))
        parts += [each(WIDTH) if each in NORMS else each() for each in between]
    return nn.Sequential(*parts, *[nn.Linear(WIDTH, 10)] * last)


NORMS = (nn.BatchNorm1d, nn.LayerNorm)


class Residual(nn.Module):
    def __init__(self, *, early: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(64, WIDTH)
        self.blocks = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.last = nn.Linear(WIDTH, 10)
        self.early = early

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.tanh(self.first(x))
        for block in self.blocks:
            branch = F.tanh(block(x)) if not self.early else block(x)
            x = x + branch
        return self.last(x)


def spec(**changes) -> ut.NetworkSpec:
    plain = {"inputs": 64, "outputs": 10, "depth": 3, "width": WIDTH, "activation": "tanh"}
    return ut.NetworkSpec(**(plain | {"initialisation": "torch_default"} | changes))


@pytest.mark.parametrize(
    ("module", "like"),
    [
        (stack(nn.Tanh), spec()),
        (stack(nn.ReLU), spec(activation="relu")),
        (stack(nn.BatchNorm1d, nn.Sigmoid), spec(activation="sigmoid", normalisation="batch")),
        (stack(nn.LayerNorm, nn.GELU), spec(activation="gelu", normalisation="layer")),
        (stack(nn.Identity), spec(activation="linear")),
        (Residual(), spec(depth=4, skips="identity")),
    ],
)
def test_a_module_is_read_as_the_specification_it_is(module, like):
    found, meant = chain(module), chain_of_spec(like)
    assert found.widths == meant.widths
    names = [each if isinstance(each, str) else each.name for each in meant.activations]
    assert list(found.activations) == names
    assert found.normalisations == meant.normalisations
    assert sorted(found.skips) == sorted(meant.skips)
    assert found.weight_variances == pytest.approx(meant.weight_variances, rel=0.03)
    assert found.bias_variances == pytest.approx(meant.bias_variances, rel=0.5)


def test_a_prediction_of_a_module_against_its_own_gradients():
    model, x = stack(nn.Tanh), torch.randn(32, 8, 8)
    y = torch.arange(32) % 10
    F.cross_entropy(model(x), y).backward()
    truth = [m.weight.grad.norm().item() for m in model if isinstance(m, nn.Linear)]
    trace = ut.predict(model, x, targets=y)
    found = trace.to_xarray()["grad_norm"].values[0, 0]
    assert np.abs(np.log10(found / truth)).max() < 0.1
    assert list(trace.to_xarray()["layer"].values) == ["1", "3", "5", "7"]


@pytest.mark.parametrize(
    "flat", [lambda x: x.view(x.size(0), -1), lambda x: x.reshape(x.shape[0], -1)]
)
def test_inputs_may_be_flattened_by_their_size(flat):
    def forward(self, x):
        return self.two(torch.tanh(self.one(flat(x))))

    assert chain(functional(forward)).activations == ("tanh",)


def test_nothing_of_the_module_changes():
    model = stack(nn.BatchNorm1d, nn.Tanh)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    ut.predict(model, torch.randn(8, 64))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


class Three(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)


def functional(forward) -> nn.Module:
    return type("Functional", (Three,), {"forward": forward})()


def seq(*parts: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 4), *parts, nn.Linear(4, 4))


def shared() -> nn.Sequential:
    linear = nn.Linear(4, 4)
    return nn.Sequential(linear, nn.Tanh(), linear)


def tied() -> nn.Sequential:
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
    model[2].weight = model[0].weight
    return model


def scaled() -> nn.Sequential:
    model = seq(nn.BatchNorm1d(4), nn.Tanh())
    model[1].weight.data.fill_(2.0)
    return model


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(nn.Tanh()), "'0': an activation that does not follow a layer of weights"),
        (nn.Sequential(nn.Flatten()), "no Linear or Conv2d layer: the theory knows Linear, Conv2d"),
        (seq(nn.Dropout(0.5)), "'1': Dropout at rate 0.5; the theory knows rate 0"),
        (
            seq(nn.MultiheadAttention(4, 1)),
            "'1' is a MultiheadAttention (its weights depend on the sample): the theory",
        ),
        (
            seq(nn.MaxPool1d(2)),
            "'1' is a MaxPool1d (the largest of several numbers is not Gaussian): the",
        ),
        (seq(nn.ELU(alpha=2.0)), "'1': ELU with alpha = 2.0; the theory knows 1.0"),
        (seq(nn.Tanh(), nn.BatchNorm1d(4)), "'2': the theory knows a norm right after a layer of"),
        (seq(nn.BatchNorm1d(4).eval()), "'1' is in eval mode: type  model.train()"),
        (scaled(), "'1': its weight is not 1 everywhere"),
        (shared(), "'0' is used twice"),
        (nn.Sequential(nn.Linear(4, 1), nn.Sigmoid()), "after '0': the network ends in a sigmoid"),
        (Residual(early=True), "add: the theory knows an activation plus what an earlier"),
        (seq(nn.Tanh(), nn.Linear(5, 3)), "'2' takes 5 inputs, and 4 come from below"),
        (seq(nn.Softplus(threshold=0)), "'1': Softplus with threshold = 0"),
        (tied(), "'2' is used twice"),
        (
            functional(lambda self, x: torch.add(h := self.one(x).relu(), self.two(h), alpha=0.1)),
            "add: the theory knows a sum of two layers only",
        ),
        (
            functional(lambda self, x: (torch.relu(z := self.one(x)), self.two(torch.tanh(z)))[1]),
            "'tanh': a second use of what 'one' puts out",
        ),
        (nn.LSTM(4, 4), "LSTM: torch.fx cannot follow its forward"),
        (
            functional(lambda self, x: self.two(F.softmax(self.one(x), dim=1))),
            "softmax: the theory knows Linear",
        ),
        (
            functional(lambda self, x: self.one(x) if x.sum() > 0 else self.two(x)),
            "Functional: torch.fx cannot follow its forward",
        ),
    ],
)
def test_what_cannot_be_read_is_named(model, message):
    with pytest.raises(SpecError) as caught:
        chain(model)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_layer_that_is_read_before_something_is_added_to_it():
    def forward(self, x):
        first = torch.tanh(self.one(x))
        second = torch.tanh(self.two(first))
        _ = first + second
        return self.three(second)

    with pytest.raises(SpecError, match="reads what a later addition changes"):
        chain(functional(forward))


def test_a_batch_in_any_precision():
    model, x = stack(nn.Tanh), torch.randint(0, 3, (8, 64))
    norms = [
        ut.predict(model, x.to(dtype)).to_xarray()["grad_norm"].values
        for dtype in (torch.float32, torch.bfloat16, torch.float16)
    ]
    assert np.array_equal(norms[0], norms[1])
    assert np.array_equal(norms[0], norms[2])
