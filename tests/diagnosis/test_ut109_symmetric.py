"""UT109: units that start with the same weights, and therefore stay the same."""

from __future__ import annotations

import numpy as np

from tests.diagnosis.traces import STEPS, at, chain, finding, made, outcome, row, verdict


def test_equal_units_are_found():
    found = finding(made(distinct_units=row(7, 1, at_2=0, at_3=0)), "UT109")
    assert found.layers == ("hidden_2", "hidden_3")
    assert found.at_start
    assert "0 % of the units of 'hidden_2'" in found.evidence


def test_units_of_their_own_pass():
    assert verdict(made(), "UT109") == ("passed", "units differ")


def test_it_may_be_measured_once():
    once = np.full((STEPS, 7), np.nan)
    once[0] = row(7, 1, at_2=0)
    assert finding(made(distinct_units=once), "UT109").layers == ("hidden_2",)


def test_units_that_part_are_not_symmetric():
    parts = np.full((STEPS, 7), 1.0)
    parts[0] = 0
    assert outcome(made(distinct_units=parts), "UT109") == "passed"


def test_the_output_layer_may_have_equal_units():
    """A new head is often drawn as zeros."""
    assert outcome(made(distinct_units=row(7, 1, at_7=0)), "UT109") == "passed"


def test_it_does_not_apply_to_layers_of_one_unit():
    became, reason = verdict(made(chain(6, width=1), distinct_units=0.0), "UT109")
    assert became == "not applicable"
    assert "several units" in reason


def test_a_normalisation_is_no_layer_of_units():
    layers = at(chain(), hidden_2={"kind": "layer_norm"})
    assert outcome(made(layers, distinct_units=row(7, 1, at_2=0)), "UT109") == "passed"


def test_without_the_share_it_is_not_measured():
    became, reason = verdict(made(without=["distinct_units"]), "UT109")
    assert became == "not measured"
    assert "distinct_units" in reason
