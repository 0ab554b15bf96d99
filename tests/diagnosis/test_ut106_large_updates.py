"""UT106: each update changes weights by a large part of themselves."""

from __future__ import annotations

import numpy as np

from tests.diagnosis.traces import FLAT, broken_from, finding, made, outcome, row, verdict


def test_updates_as_large_as_the_weights_are_found():
    found = finding(made(update_norm=8 * 2.0, loss=FLAT), "UT106")
    assert found.layers == (*(f"hidden_{i}" for i in range(1, 7)), "output")
    assert found.at_start
    assert "200 %" in found.evidence


def test_they_are_found_too_where_the_run_breaks():
    assert outcome(made(update_norm=8 * 2.0, **broken_from(8, 7)), "UT106") == "found"


def test_of_steps_that_leave_nothing_of_the_weights_it_complains_whatever_the_loss_does():
    assert outcome(made(update_norm=8 * 50.0), "UT106") == "found"


def test_updates_of_a_thousandth_pass():
    assert verdict(made(loss=FLAT), "UT106") == ("passed", "a step changes a weight by 0.1 %")


def test_a_network_that_learns_has_no_complaint():
    assert outcome(made(update_norm=8 * 0.45), "UT106") == "passed"


def test_a_single_weight_is_not_the_rule():
    assert outcome(made(update_norm=row(7, 8e-3, at_3=80), loss=FLAT), "UT106") == "passed"


def test_a_weight_of_0_has_no_ratio():
    trace = made(weight_norm=row(7, 8.0, at_3=0.0), update_norm=8e-3, loss=FLAT)
    assert outcome(trace, "UT106") == "passed"


def test_without_updates_it_is_not_measured():
    became, reason = verdict(made(without=["update_norm"]), "UT106")
    assert became == "not measured"
    assert "update_norm" in reason
    assert outcome(made(without=["weight_norm"]), "UT106") == "not measured"
    assert outcome(made(update_norm=np.nan), "UT106") == "not measured"
