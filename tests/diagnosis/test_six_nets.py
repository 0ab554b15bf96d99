"""Six nets that peers misjudge: two healthy, and four each sick in one way."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import undertow as ut
from undertow.diagnosis.diagnose import Diagnosis

Draw = Callable[[Tensor], object]


def he(weight: Tensor, times: float = 1.0) -> None:
    nn.init.kaiming_normal_(weight, nonlinearity="relu")
    weight.data.mul_(times)


def stack(hidden: int, activation: type[nn.Module], draw: Draw) -> nn.Sequential:
    widths, parts = [20, *[64] * hidden, 3], []
    for fan_in, fan_out in pairwise(widths):
        linear = nn.Linear(fan_in, fan_out)
        draw(linear.weight)
        nn.init.zeros_(linear.bias)
        parts += [linear, activation()]
    return nn.Sequential(*parts[:-1])


def with_dead_units() -> nn.Sequential:
    """Return a net in which 48 of the 64 units of layer '6' are dead."""
    model = stack(5, nn.ReLU, he)
    bias = model[6].bias
    assert isinstance(bias, Tensor)
    bias.data[:48] = -100
    return model


NETS: dict[str, Callable[[], nn.Sequential]] = {
    "He, ReLU": lambda: stack(5, nn.ReLU, he),
    "tanh": lambda: stack(3, nn.Tanh, nn.init.xavier_uniform_),
    "20 layers of sigmoid": lambda: stack(19, nn.Sigmoid, nn.init.xavier_uniform_),
    "5 layers of sigmoid": lambda: stack(4, nn.Sigmoid, nn.init.xavier_uniform_),
    "20 layers of ReLU, 2.2 times He": lambda: stack(19, nn.ReLU, partial(he, times=2.2)),
    "48 of 64 units dead": with_dead_units,
}
HEALTHY = ("He, ReLU", "tanh")
EXPECTED = dict(zip(NETS, [None, None, "UT101", "UT101", "UT102", "UT103"], strict=True))


@cache
def diagnosed(name: str, seed: int = 0) -> Diagnosis:
    """Train a net for 200 SGD steps on three Gaussian classes, and diagnose it."""
    torch.manual_seed(seed)
    draw = torch.Generator().manual_seed(seed)
    centres = torch.randn(3, 20, generator=draw)
    model = NETS[name]()
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    with ut.watch(model, optimizer, every=2) as w:
        for _ in range(200):
            targets = torch.randint(3, (64,), generator=draw)
            inputs = centres[targets] + torch.randn(64, 20, generator=draw)
            optimizer.zero_grad()
            loss = F.cross_entropy(model(inputs), targets)
            loss.backward()
            optimizer.step()
            w.log(loss=loss)
    return ut.diagnose(w.trace())


@pytest.mark.parametrize("name", NETS)
def test_the_verdict(name: str):
    found = diagnosed(name)
    assert found.outcome == ("healthy" if EXPECTED[name] is None else "sick")
    assert (found.root_cause.code if found.root_cause else None) == EXPECTED[name]


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_net_has_no_critical_finding(name: str):
    found = diagnosed(name)
    assert found.healthy
    assert [each for each in found.findings if each.severity == "critical"] == []


def test_the_dead_layer_is_named():
    root = diagnosed("48 of 64 units dead").root_cause
    assert root
    assert root.layers == ("6",)


@pytest.mark.parametrize("name", ["20 layers of sigmoid", "5 layers of sigmoid"])
def test_of_a_vanishing_gradient_the_first_layers_are_named(name: str):
    """And not the last, whose gradient is the largest."""
    root = diagnosed(name).root_cause
    assert root
    assert root.layers[0] == "0"
    hidden = len(NETS[name]()) // 2
    assert not {str(2 * hidden), str(2 * hidden - 2)} & set(root.layers)


@pytest.mark.parametrize("name", [name for name, code in EXPECTED.items() if code])
def test_one_cause_is_named_and_all_else_follows(name: str):
    root, *others = diagnosed(name).findings
    assert (root.code, root.symptom, root.share) == (EXPECTED[name], False, 1.0)
    assert all(each.symptom for each in others)
