"""What a verdict must not depend on: scales that a user happens to choose, the order of dims."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise, permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

import undertow as ut
from tests.diagnosis.traces import FLAT, STEPS, broken_from, chain, made, row, slide
from undertow.diagnosis.diagnose import Diagnosis
from undertow.trace.record import Trace

OF_THE_LOSS = ("loss", "grad_norm", "delta_norm", "grad_mean_abs")
OF_THE_WEIGHTS = ("update_norm", "weight_norm")
SIGMOID = chain(9, "sigmoid")
GONE = row(7, 0.1, at_1=0, at_2=0, at_3=0)
CASES: dict[str, Callable[[], Trace]] = {
    "healthy": made,
    "vanishing": lambda: made(SIGMOID, delta_norm=slide(9, -12), grad_norm=1e-3, loss=FLAT),
    "vanishing while it learns": lambda: made(chain(9), delta_norm=slide(9, -12)),
    "exploding": lambda: made(chain(9), delta_norm=slide(9, 12), loss=FLAT),
    "exploding to NaN": lambda: made(chain(9), delta_norm=slide(9, 12), **broken_from(6, 10)),
    "dead": lambda: made(dead_fraction=row(7, 0.1, at_3=0.98), loss=FLAT),
    "dead at birth": lambda: made(
        dead_fraction=row(7, 0.1, at_3=1), grad_norm=GONE, delta_norm=GONE, loss=FLAT
    ),
    "saturated": lambda: made(SIGMOID, saturated_fraction=row(10, 0.95, at_10=0), loss=FLAT),
    "large steps": lambda: made(update_norm=8 * 3.0, loss=FLAT),
    "small steps": lambda: made(update_norm=8e-9, loss=FLAT),
    "left out": lambda: made(update_norm=row(7, 8e-3, at_1=0), loss=FLAT),
    "detached": lambda: made(grad_norm=row(7, 0.1, at_1=np.nan)),
    "equal units": lambda: made(distinct_units=row(7, 0, at_7=1), loss=FLAT),
    "inputs": lambda: made(input_rms=500.0, preactivation_rms=row(7, 1, at_1=450), loss=FLAT),
    "diverging": lambda: made(loss=np.geomspace(1, 1e5, STEPS)),
    "NaN": lambda: made(**broken_from(30, 7)),
    "idle": lambda: made(loss=FLAT),
    "one step": lambda: made(SIGMOID, steps=1, delta_norm=slide(9, -12)),
    "of two": lambda: made(
        chain(9), replicates=2, delta_norm=np.stack([slide(9, 12), slide(9, 0)])[:, None]
    ),
}


@cache
def plain(case: str) -> Diagnosis:
    return ut.diagnose(CASES[case]())


def said(found: Diagnosis) -> tuple[str, str | None, list[tuple[str, str]]]:
    code = found.root_cause.code if found.root_cause else None
    return found.outcome, code, [(each.code, each.outcome) for each in found.rules]


def scaled(trace: Trace, names: tuple[str, ...], by: float) -> Trace:
    dataset = trace.to_xarray()
    for name in names:
        dataset[name] = dataset[name] * by
    return Trace(dataset, trace.events, trace.artefacts)


def changed(trace: Trace, **attributes: object) -> Trace:
    return Trace(trace.to_xarray().assign_attrs(attributes), trace.events, trace.artefacts)


def test_the_cases_are_of_every_kind():
    """Were all of them healthy, the tests below would show nothing."""
    found = {name: plain(name) for name in CASES}
    assert {each.outcome for each in found.values()} == {"healthy", "sick", "undecided"}
    codes = {each.root_cause.code for each in found.values() if each.root_cause}
    assert len(codes) >= 10


@pytest.mark.parametrize("by", [1e3, 1e-3])
@pytest.mark.parametrize("case", CASES)
def test_the_scale_of_the_loss(case: str, by: float):
    trace = CASES[case]()
    assert said(ut.diagnose(scaled(trace, OF_THE_LOSS, by))) == said(plain(case))


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(CASES)), st.floats(-3, 3), st.floats(-3, 3))
def test_any_scale_of_the_loss_and_of_the_weights(case: str, loss: float, weights: float):
    trace = CASES[case]()
    other = scaled(scaled(trace, OF_THE_LOSS, 10**loss), OF_THE_WEIGHTS, 10**weights)
    assert said(ut.diagnose(other)) == said(plain(case))


@pytest.mark.parametrize("case", CASES)
def test_the_batch(case: str):
    trace = CASES[case]()
    assert trace.attributes["batch_size"] == 64
    assert said(ut.diagnose(changed(trace, batch_size=256))) == said(plain(case))
    if case == "healthy":
        assert said(ut.diagnose(changed(trace, batch_size=32))) == said(plain(case))


@pytest.mark.parametrize("case", CASES)
def test_the_scale_of_mixed_precision(case: str):
    """Gradients in a trace are unscaled; what they were scaled by says nothing."""
    assert said(ut.diagnose(changed(CASES[case](), amp_scale=65536.0))) == said(plain(case))


ORDERS = list(permutations(["replicate", "step", "layer"]))


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_the_order_of_dims(order: tuple[str, ...]):
    for case in ("vanishing", "exploding to NaN", "left out", "of two"):
        trace = CASES[case]()
        turned = Trace(trace.to_xarray().transpose(*order), trace.events)
        assert ut.diagnose(turned) == plain(case)


@pytest.mark.parametrize("case", CASES)
def test_replicates_that_are_all_the_same(case: str):
    trace = CASES[case]()
    if trace.dataset.sizes["replicate"] == 1:
        three = trace.to_xarray().isel(replicate=[0, 0, 0]).assign_coords(replicate=[0, 1, 2])
        assert said(ut.diagnose(Trace(three, trace.events))) == said(plain(case))


@cache
def watched(width: int, kind: str, loss_scale: float = 1.0, rate: float = 0.05) -> Diagnosis:
    """Train a small net of a kind for 150 SGD steps on three Gaussian classes."""
    torch.manual_seed(0)
    depth, activation, gain = {
        "relu": (5, nn.ReLU, 2**0.5),
        "sigmoid": (14, nn.Sigmoid, 1.0),
        "large relu": (14, nn.ReLU, 4.0),
    }[kind]
    widths, parts = [20, *[width] * depth, 3], []
    for fan_in, fan_out in pairwise(widths):
        linear = nn.Linear(fan_in, fan_out)
        nn.init.normal_(linear.weight, std=gain * fan_in**-0.5)
        nn.init.zeros_(linear.bias)
        parts += [linear, activation()]
    model = nn.Sequential(*parts[:-1])
    draw = torch.Generator().manual_seed(1)
    centres = torch.randn(3, 20, generator=draw)
    optimizer = torch.optim.SGD(model.parameters(), rate / loss_scale)
    with ut.watch(model, optimizer, every=5) as w:
        for _ in range(150):
            targets = torch.randint(3, (32,), generator=draw)
            inputs = centres[targets] + torch.randn(32, 20, generator=draw)
            optimizer.zero_grad()
            loss = loss_scale * F.cross_entropy(model(inputs), targets)
            loss.backward()
            optimizer.step()
            w.log(loss=loss)
    return ut.diagnose(w.trace())


KINDS = {"relu": None, "sigmoid": "UT101", "large relu": "UT102"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_with_a_loss_a_thousand_times_larger(kind: str):
    one, large = watched(16, kind), watched(16, kind, loss_scale=1000.0)
    assert said(one)[:2] == said(large)[:2] == ("sick" if KINDS[kind] else "healthy", KINDS[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_the_width_of_a_network(kind: str):
    narrow, wide = watched(16, kind), watched(64, kind)
    assert said(narrow)[:2] == said(wide)[:2] == ("sick" if KINDS[kind] else "healthy", KINDS[kind])
