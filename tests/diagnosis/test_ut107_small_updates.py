"""UT107: updates are so small that nothing is learned, or some weights get none."""

from __future__ import annotations

import numpy as np

from tests.diagnosis.traces import FLAT, STEPS, at, chain, finding, made, outcome, row, verdict


def test_updates_of_a_billionth_are_found():
    found = finding(made(update_norm=8e-9, loss=FLAT), "UT107")
    assert found.layers == (*(f"hidden_{i}" for i in range(1, 7)), "output")
    assert found.at_start
    assert "1e-09" in found.evidence


def test_weights_that_no_optimizer_moves_are_named():
    trace = made(update_norm=row(7, 8e-3, at_1=0, at_2=0), loss=FLAT)
    found = finding(trace, "UT107")
    assert found.layers == ("hidden_1", "hidden_2")
    assert "no optimizer moves them" in found.evidence


def test_frozen_weights_are_not_left_out():
    layers = at(chain(), hidden_1={"trainable": False})
    still = row(7, 8e-3, at_1=0)
    assert outcome(made(layers, update_norm=still, loss=FLAT), "UT107") == "passed"


def test_updates_of_a_thousandth_pass():
    assert verdict(made(loss=FLAT), "UT107") == ("passed", "a step changes a weight by 0.1 %")


def test_a_network_that_has_converged_makes_small_steps_rightly():
    small = np.full((STEPS, 1), 8e-3)
    small[15:] = 8e-12
    assert outcome(made(update_norm=small, loss=FLAT), "UT107") == "passed"


def test_a_loss_that_falls_has_no_complaint():
    assert outcome(made(update_norm=8e-9), "UT107") == "passed"


def test_without_updates_it_is_not_measured():
    for name in ("update_norm", "weight_norm", "grad_norm"):
        became, reason = verdict(made(without=[name]), "UT107")
        assert became == "not measured"
        assert name in reason
