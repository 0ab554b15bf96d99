"""UT111: inputs far larger or smaller than the initial weights are made for."""

from __future__ import annotations

import numpy as np
import pytest

from tests.diagnosis.traces import FLAT, at, chain, finding, made, outcome, row, verdict


@pytest.mark.parametrize(("size", "said"), [(500.0, "5e+02"), (1e-5, "1e-05")])
def test_inputs_of_another_size_are_found(size: float, said: str):
    trace = made(input_rms=size, preactivation_rms=row(7, 1, at_1=size), loss=FLAT)
    found = finding(trace, "UT111")
    assert found.layers == ("hidden_1",)
    assert found.at_start
    assert f"root mean square of {said}" in found.evidence


def test_standardised_inputs_pass():
    assert verdict(made(), "UT111") == ("passed", "their root mean square is 1")
    assert outcome(made(input_rms=0.3, loss=FLAT), "UT111") == "passed"  # pictures from 0 to 1


def test_without_pre_activations_the_inputs_alone_are_judged():
    trace = made(input_rms=500.0, without=["preactivation_rms"])
    assert outcome(trace, "UT111") == "found"


def test_a_network_that_learns_and_whose_weights_fit_has_no_complaint():
    assert outcome(made(input_rms=500.0, preactivation_rms=1.0), "UT111") == "passed"


def test_it_does_not_apply_to_indices():
    layers = at(chain(), hidden_1={"kind": "embedding"})
    became, reason = verdict(made(layers, input_rms=500.0, loss=FLAT), "UT111")
    assert (became, reason) == ("not applicable", "the inputs are indices")


@pytest.mark.parametrize("place", ["hidden_1", "hidden_2"])
@pytest.mark.parametrize("kind", ["batch_norm", "layer_norm", "rms_norm"])
def test_it_does_not_apply_where_a_normalisation_takes_the_scale_away(place: str, kind: str):
    layers = at(chain(), **{place: {"kind": kind}})
    became, reason = verdict(made(layers, input_rms=500.0, loss=FLAT), "UT111")
    assert became == "not applicable"
    assert "normalisation" in reason


def test_without_the_size_it_is_not_measured():
    became, reason = verdict(made(without=["input_rms"]), "UT111")
    assert became == "not measured"
    assert "input_rms" in reason
    assert outcome(made(input_rms=np.nan), "UT111") == "not measured"
