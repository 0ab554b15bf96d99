"""UT114: the loss grows, in a network that was healthy at the start."""

from __future__ import annotations

import numpy as np
import pytest

from tests.diagnosis.traces import FALLING, FLAT, broken_from, finding, made, outcome, verdict


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
def test_a_loss_that_grows_is_found(scale: float):
    found = finding(made(loss=scale * np.geomspace(1, 1e4, 60)), "UT114")
    assert found.layers == ()
    assert not found.at_start
    assert "1e+04 times its first value" in found.evidence


def test_a_loss_that_grows_and_breaks_is_found():
    broken = broken_from(40, 7)
    broken["loss"] = np.where(np.isfinite(broken["loss"]), np.geomspace(1, 1e8, 60), np.nan)
    assert "no number from step 40 on" in finding(made(**broken), "UT114").evidence


def test_a_nan_out_of_nothing_is_another_rules():
    assert outcome(made(**broken_from(40, 7)), "UT114") == "passed"


@pytest.mark.parametrize("loss", [FALLING, FLAT, -FALLING], ids=["falls", "flat", "negative"])
def test_a_loss_that_does_not_grow_passes(loss: np.ndarray):
    assert verdict(made(loss=loss), "UT114") == ("passed", "the loss does not grow")


def test_one_bad_batch_is_no_divergence():
    loss = FALLING.copy()
    loss[30] = 50.0
    assert outcome(made(loss=loss), "UT114") == "passed"


def test_one_loss_is_too_few():
    became, reason = verdict(made(steps=1, loss=[1.0]), "UT114")
    assert became == "not measured"
    assert "fewer than two losses" in reason


def test_without_a_loss_it_is_not_measured():
    became, reason = verdict(made(without=["loss"]), "UT114")
    assert became == "not measured"
    assert "loss" in reason
