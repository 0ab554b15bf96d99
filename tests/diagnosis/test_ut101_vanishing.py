"""UT101: the gradient is lost on its way to the first layers."""

from __future__ import annotations

import numpy as np

from tests.diagnosis.traces import FLAT, chain, cliff, finding, made, outcome, row, slide, verdict

LAYERS = chain(9, "sigmoid")
GRADUAL = {"vanishing": -50.0, "vanishing_idle": -2.0, "at_once": 40.0}


def test_a_gradient_that_is_lost_all_along_names_the_layers_that_starve():
    found = finding(made(LAYERS, delta_norm=slide(9, -24), loss=FLAT), "UT101")
    assert found.layers == tuple(f"hidden_{i}" for i in range(1, 9))
    assert found.at_start
    assert "24.0 decades" in found.evidence


def test_a_gradient_that_is_lost_at_one_layer_names_it():
    weights = finding(made(LAYERS, delta_norm=cliff(9, -9, below=4)), "UT101")
    assert weights.layers == ("hidden_5",)  # whose weights the gradient crosses there
    flat = row(10, 0.2, at_4=1e-9)
    slopes = finding(made(LAYERS, delta_norm=cliff(9, -9, below=4), slope_rms=flat), "UT101")
    assert slopes.layers == ("hidden_4",)


def test_a_dip_within_a_branch_is_no_loss():
    deltas = np.full(10, 0.01)
    deltas[3:5] = 1e-9
    assert outcome(made(LAYERS, delta_norm=deltas), "UT101") == "passed"


def test_a_healthy_profile_passes():
    assert verdict(made(), "UT101") == ("passed", "total +0.0 dex at the start")
    assert outcome(made(delta_norm=slide(6, -0.3)), "UT101") == "passed"


def test_what_a_net_that_learns_may_lose_a_net_that_does_not_may_not():
    loses = slide(9, -12)
    assert outcome(made(LAYERS, delta_norm=loses), "UT101", **GRADUAL) == "passed"
    idle = made(LAYERS, delta_norm=loses, loss=FLAT)
    assert outcome(idle, "UT101", **GRADUAL) == "found"
    assert "the loss has fallen by 0 %" in finding(idle, "UT101", **GRADUAL).evidence
    few = made(LAYERS, steps=3, delta_norm=loses, loss=np.ones(3))
    assert outcome(few, "UT101", **GRADUAL) == "passed"  # so soon no loss has to fall


def test_a_last_layer_that_hardly_moves_is_not_evidence_of_a_lost_gradient():
    """Then the learning rate, not the gradient, is why the loss does not fall."""
    still = made(LAYERS, delta_norm=slide(9, -12), loss=FLAT, update_norm=1e-12)
    assert outcome(still, "UT101", **GRADUAL) == "passed"


def test_a_gradient_too_small_for_the_data_type_has_vanished():
    deltas = np.array([0, 0, 0, 1e-44, 1e-40, 1e-34, 1e-28, 1e-20, 1e-10, 1e-2])
    found = finding(made(LAYERS, delta_norm=deltas, loss=FLAT), "UT101")
    assert {"hidden_1", "hidden_2", "hidden_3"} <= set(found.layers)
    assert "all of delta is lost" in found.evidence


def test_a_gradient_of_exactly_0_is_another_rules():
    assert outcome(made(delta_norm=row(7, 0.01, at_1=0, at_2=0)), "UT101") == "passed"


def test_the_prediction_draws_the_band():
    """What theory expects of nearly all networks of a kind is no fault; far below it is one."""

    def expected(dex: float, sd: float):
        given = {"delta_norm": slide(9, dex), "sd_dex": sd, "median_shift_dex": 0.0}
        return made(LAYERS, steps=1, source="predicted", without=["loss"], **given)

    trace = made(LAYERS, delta_norm=slide(9, -12))
    assert outcome(trace, "UT101", expected(-12, 0.1), **GRADUAL) == "passed"
    assert outcome(trace, "UT101", expected(0, 0.1), **GRADUAL) == "found"
    assert outcome(trace, "UT101", expected(0, 20), **GRADUAL) == "passed"


def test_it_does_not_apply_with_one_hidden_layer():
    became, reason = verdict(made(chain(1)), "UT101")
    assert became == "not applicable"
    assert "hidden layers" in reason


def test_without_deltas_it_is_not_measured():
    became, reason = verdict(made(without=["delta_norm"]), "UT101")
    assert became == "not measured"
    assert "delta_norm" in reason
    assert outcome(made(delta_norm=np.nan), "UT101") == "not measured"
    assert outcome(made(steps=0), "UT101") == "not measured"
