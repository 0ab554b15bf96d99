"""UT108: no gradient comes to a layer at all: frozen, detached or unused."""

from __future__ import annotations

import numpy as np

import undertow as ut
from tests.diagnosis.traces import FLAT, at, chain, finding, made, outcome, row, verdict


def test_a_gradient_of_exactly_0_is_found():
    gone = row(7, 0.1, at_1=0, at_2=0)
    found = finding(made(grad_norm=gone, delta_norm=gone), "UT108")
    assert found.layers == ("hidden_1", "hidden_2")
    assert found.at_start
    assert "exactly 0" in found.evidence


def test_a_detached_layer_has_no_gradient_at_all():
    found = finding(made(grad_norm=row(7, 0.1, at_1=np.nan)), "UT108")
    assert found.layers == ("hidden_1",)
    assert "detached from the loss, or not used" in found.evidence


def test_a_frozen_body_that_does_not_learn_is_said_to_be_frozen():
    names = [f"hidden_{place}" for place in range(1, 6)]
    layers = at(chain(), **{name: {"trainable": False} for name in names})
    gone = row(7, 0.1, **{f"at_{place}": np.nan for place in range(1, 6)})
    found = finding(made(layers, grad_norm=gone, delta_norm=gone, loss=FLAT), "UT108")
    assert found.layers == tuple(names)
    assert "frozen" in found.evidence


def test_a_gradient_that_is_not_a_number_came():
    grad, broken = row(7, 0.1, at_3=np.nan), row(7, 0, at_3=9)
    assert outcome(made(grad_norm=grad, nonfinite=broken), "UT108") == "passed"


def test_every_layer_has_a_gradient():
    assert verdict(made(), "UT108") == ("passed", "every layer gets a gradient")
    assert outcome(made(grad_norm=1e-30), "UT108") == "passed"


def test_a_gradient_that_is_small_beyond_the_data_type_is_not_absent():
    sizes = 10.0 ** np.array([-50, -48, -44, -40, -30, -20, -2])
    sizes[:2] = 0  # below the smallest float32
    assert outcome(made(grad_norm=sizes, delta_norm=sizes), "UT108") == "passed"
    doubles = {"dtype": "float64"}
    trace = made(grad_norm=sizes, delta_norm=sizes, attributes=doubles)
    assert outcome(trace, "UT108") == "found"


def test_a_second_call_of_a_module_has_no_gradient_of_its_own():
    layers = at(chain(), hidden_2={"name": "hidden_1#2"})
    assert outcome(made(layers, grad_norm=row(7, 0.1, at_2=np.nan)), "UT108") == "passed"


def test_zeros_everywhere_are_found_in_every_layer():
    found = ut.diagnose(made(grad_norm=0.0, delta_norm=0.0))
    assert found.root_cause is not None
    assert (found.root_cause.code, found.root_cause.layers[0]) == ("UT108", "hidden_1")


def test_without_gradients_it_is_not_measured():
    became, reason = verdict(made(without=["grad_norm"]), "UT108")
    assert became == "not measured"
    assert "grad_norm" in reason
