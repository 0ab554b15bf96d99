"""UT102: the gradient grows on its way to the first layers."""

from __future__ import annotations

import numpy as np

from tests.diagnosis.traces import (
    FLAT,
    broken_from,
    chain,
    cliff,
    finding,
    made,
    outcome,
    slide,
    verdict,
)

LAYERS = chain(9)
GRADUAL = {"exploding": 50.0, "exploding_idle": 2.0, "at_once": 40.0}


def test_a_gradient_that_grows_all_along_names_the_layers_it_floods():
    found = finding(made(LAYERS, delta_norm=slide(9, 24)), "UT102")
    assert found.layers == tuple(f"hidden_{i}" for i in range(1, 9))
    assert found.at_start
    assert "24.0 decades" in found.evidence


def test_a_gradient_that_grows_at_one_layer_names_it():
    found = finding(made(LAYERS, delta_norm=cliff(9, 9, below=4)), "UT102")
    assert found.layers == ("hidden_5",)


def test_a_healthy_profile_passes():
    assert verdict(made(), "UT102") == ("passed", "total +0.0 dex at the start")
    assert outcome(made(delta_norm=slide(6, -20)), "UT102") == "passed"


def test_what_a_net_that_learns_may_gain_a_net_that_does_not_may_not():
    gains = slide(9, 12)
    assert outcome(made(LAYERS, delta_norm=gains), "UT102", **GRADUAL) == "passed"
    assert outcome(made(LAYERS, delta_norm=gains, loss=FLAT), "UT102", **GRADUAL) == "found"
    breaks = made(LAYERS, delta_norm=gains, **broken_from(9, 10))
    assert outcome(breaks, "UT102", **GRADUAL) == "found"
    assert "the first NaN or Inf came at step 9" in finding(breaks, "UT102", **GRADUAL).evidence


def test_a_nan_at_the_first_step_does_not_hide_it():
    deltas = np.vstack([slide(9, 24), np.full((59, 10), np.nan)])
    found = finding(made(LAYERS, delta_norm=deltas, **broken_from(2, 10)), "UT102")
    assert "hidden_1" in found.layers


def test_it_does_not_apply_with_one_hidden_layer():
    became, reason = verdict(made(chain(1)), "UT102")
    assert became == "not applicable"
    assert "hidden layers" in reason


def test_without_deltas_it_is_not_measured():
    became, reason = verdict(made(without=["delta_norm"]), "UT102")
    assert became == "not measured"
    assert "delta_norm" in reason
