"""The last losses are kept whether their steps are recorded or not: a verdict needs both ends."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import undertow as ut
from undertow.diagnosis.evidence import Evidence


def trained(*, before: bool, log: bool = True, as_tensor: bool = True, steps: int = 60) -> ut.Trace:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    inputs = torch.randn(16, 4)
    with ut.watch(model, optimizer, every=1000) as w:
        for step in range(1, steps + 1):
            optimizer.zero_grad()
            model(inputs).square().mean().backward()
            told: Tensor | float = torch.tensor(1 / step) if as_tensor else 1 / step
            if before and log:
                w.log(loss=told)
            optimizer.step()
            if not before and log:
                w.log(loss=told)
    return w.trace()


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("as_tensor", [True, False])
def test_the_last_ten_are_kept_with_their_steps(before: bool, as_tensor: bool):
    trace = trained(before=before, as_tensor=as_tensor)
    assert trace.dataset["step"].values.tolist() == list(range(1, 11))
    kept = trace.attributes["last_losses"]
    assert [step for step, _ in kept] == list(range(51, 61))
    assert [loss for _, loss in kept] == pytest.approx([1 / step for step in range(51, 61)])


def test_a_diagnosis_reads_them():
    reading = Evidence(trained(before=True))
    assert reading.passed == 60
    # Without them the loss at step 10 would be the end.
    assert reading.fall.item() == pytest.approx(1 - (1 / 58) / (1 / 3), abs=0.05)


def test_without_a_log_there_are_none():
    trace = trained(before=True, log=False)
    assert trace.attributes["last_losses"] == []
    assert math.isnan(Evidence(trace).fall.item())


def test_what_is_not_a_number_is_left_out():
    trace = trained(before=True, steps=12)
    kept = {**trace.attributes, "last_losses": ["x", [1], [99, 0.5]]}
    odd = ut.Trace(trace.to_xarray().assign_attrs(kept), trace.events)
    assert Evidence(odd).passed == 99
