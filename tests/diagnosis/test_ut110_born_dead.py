"""UT110: a layer passes nothing on from the first step."""

from __future__ import annotations

import numpy as np

from tests.diagnosis.traces import STEPS, finding, made, outcome, row, verdict

DEAD = {
    "dead_fraction": row(7, 0.1, at_3=1),
    "grad_norm": row(7, 0.1, at_1=0, at_2=0, at_3=0),
    "delta_norm": row(7, 0.1, at_1=0, at_2=0, at_3=0),
    "output_spread": 0.0,
}


def test_a_layer_dead_at_birth_is_named():
    found = finding(made(**DEAD), "UT110")
    assert found.layers == ("hidden_3",)
    assert found.at_start
    assert "every unit of 'hidden_3' is dead at the first step" in found.evidence
    assert "standard deviation over the batch is 0" in found.evidence


def test_it_needs_no_spread_of_the_output():
    assert "standard deviation" not in finding(made(**DEAD, without=["output_spread"]), "UT110")[4]


def test_a_layer_with_units_alive_passes():
    assert verdict(made(), "UT110") == ("passed", "every layer has units that are alive")
    assert outcome(made(dead_fraction=0.5), "UT110") == "passed"


def test_a_dead_layer_that_a_branch_goes_around_is_not_the_end():
    assert outcome(made(dead_fraction=row(7, 0.1, at_3=1)), "UT110") == "passed"


def test_a_layer_that_dies_later_was_not_born_dead():
    dead, grad = np.full((STEPS, 7), 0.1), np.full((STEPS, 7), 0.1)
    dead[10:, 2], grad[10:, :3] = 1, 0
    assert outcome(made(dead_fraction=dead, grad_norm=grad), "UT110") == "passed"


def test_without_what_it_needs_it_is_not_measured():
    for name in ("dead_fraction", "grad_norm"):
        became, reason = verdict(made(without=[name]), "UT110")
        assert became == "not measured"
        assert name in reason
