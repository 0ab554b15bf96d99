"""UT104: units at the flat ends of a sigmoid or a tanh."""

from __future__ import annotations

import numpy as np
import pytest

from tests.diagnosis.traces import FLAT, STEPS, at, chain, finding, made, outcome, row, verdict


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "hard_tanh"])
def test_a_saturated_layer_is_named(activation: str):
    layers = chain(6, activation)
    found = finding(made(layers, saturated_fraction=row(7, 0.02, at_2=0.95)), "UT104")
    assert found.layers == ("hidden_2",)
    assert found.at_start
    assert "95 % of the slopes of 'hidden_2'" in found.evidence


def test_a_healthy_layer_passes():
    assert outcome(made(chain(6, "tanh"), saturated_fraction=0.1), "UT104") == "passed"


def test_a_network_that_learned_may_end_at_its_ends_and_one_that_did_not_may_not():
    late = np.full((STEPS, 7), 0.02)
    late[30:, :6] = 0.95
    learned = made(chain(6, "tanh"), saturated_fraction=late)
    assert outcome(learned, "UT104") == "passed"
    stuck = finding(made(chain(6, "tanh"), saturated_fraction=late, loss=FLAT), "UT104")
    assert not stuck.at_start


def test_the_networks_own_output_may_be_sure_of_itself():
    layers = at(chain(6, "tanh"), output={"activation": "sigmoid"})
    assert outcome(made(layers, saturated_fraction=row(7, 0.02, at_7=1.0)), "UT104") == "passed"


def test_it_does_not_apply_to_relu():
    became, reason = verdict(made(saturated_fraction=0.95), "UT104")
    assert became == "not applicable"
    assert "flat at both ends" in reason


def test_without_the_share_it_is_not_measured():
    became, reason = verdict(made(chain(6, "tanh"), without=["saturated_fraction"]), "UT104")
    assert became == "not measured"
    assert "saturated_fraction" in reason
