"""UT103: units whose slope is 0 for every sample of the batch."""

from __future__ import annotations

import numpy as np

from tests.diagnosis.traces import STEPS, at, chain, finding, made, outcome, row, verdict


def test_a_layer_of_dead_units_is_named():
    found = finding(made(dead_fraction=row(7, 0.05, at_4=0.98)), "UT103")
    assert found.layers == ("hidden_4",)
    assert found.at_start
    assert "98 % of the units of 'hidden_4'" in found.evidence


def test_units_that_die_later_are_found_and_were_not_there_at_the_start():
    dead = np.full((STEPS, 7), 0.05)
    dead[20:, 2] = 0.98
    found = finding(made(dead_fraction=dead), "UT103")
    assert found.layers == ("hidden_3",)
    assert not found.at_start


def test_a_few_dead_units_are_healthy():
    assert outcome(made(dead_fraction=0.1), "UT103") == "passed"
    assert outcome(made(dead_fraction=0.0), "UT103") == "passed"


def test_the_row_of_a_normalisation_counts_too():
    """Where one stands between a layer and its activation, the numbers are in its row."""
    layers = at(chain(), hidden_2={"kind": "batch_norm", "name": "norm"})
    assert finding(made(layers, dead_fraction=row(7, 0, at_2=0.98)), "UT103").layers == ("norm",)


def test_it_does_not_apply_where_no_slope_is_ever_0():
    for activation in ("tanh", "sigmoid"):
        became, reason = verdict(made(chain(6, activation), dead_fraction=0.98), "UT103")
        assert (became, reason) == ("not applicable", "no layer's activation has a flat side")


def test_it_does_not_apply_to_a_batch_of_two():
    became, reason = verdict(made(dead_fraction=0.98, attributes={"batch_size": 2}), "UT103")
    assert became == "not applicable"
    assert "batch of 2" in reason


def test_without_the_share_it_is_not_measured():
    became, reason = verdict(made(without=["dead_fraction"]), "UT103")
    assert became == "not measured"
    assert "dead_fraction" in reason
