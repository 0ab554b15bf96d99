"""UT113: the initial weights are off the critical scale, as theory foretold."""

from __future__ import annotations

import pytest

from tests.diagnosis.traces import chain, finding, made, outcome, slide, verdict
from undertow.trace.record import Trace

LAYERS = chain(9)


def foretold(dex: float) -> Trace:
    return made(LAYERS, steps=1, source="predicted", without=["loss"], delta_norm=slide(9, dex))


@pytest.mark.parametrize(("dex", "way"), [(-24.0, "lose"), (24.0, "gain")])
def test_what_theory_foretold_and_was_measured_is_found(dex: float, way: str):
    found = finding(made(LAYERS, delta_norm=slide(9, dex)), "UT113", foretold(dex))
    assert found.layers == ("hidden_1",)
    assert found.at_start
    assert f"theory expects delta to {way} 24.0 decades" in found.evidence
    assert f"measured {dex:+.1f} dex" in found.evidence


def test_a_prediction_is_judged_by_itself():
    assert outcome(foretold(-24.0), "UT113") == "found"
    assert outcome(foretold(0.0), "UT113") == "passed"


def test_critical_weights_pass():
    trace = made(LAYERS, delta_norm=slide(9, -0.1))
    assert verdict(trace, "UT113", foretold(-0.1)) == ("passed", "predicted -0.1 dex")


def test_a_fault_that_theory_does_not_foretell_is_not_the_initialisation():
    assert outcome(made(LAYERS, delta_norm=slide(9, -24)), "UT113", foretold(0.0)) == "passed"


def test_what_was_foretold_and_not_measured_passes():
    for measured in (0.0, 24.0):
        trace = made(LAYERS, delta_norm=slide(9, measured))
        became, reason = verdict(trace, "UT113", foretold(-24.0))
        assert became == "passed"
        assert "not measured" in reason


def test_without_a_prediction_it_is_not_measured():
    became, reason = verdict(made(LAYERS, delta_norm=slide(9, -24)), "UT113")
    assert became == "not measured"
    assert "ut.diagnose(trace, predicted=...)" in reason
    one = chain(1)
    trace = made(one, steps=1, source="predicted", without=["loss"])
    assert outcome(made(one), "UT113", trace) == "not measured"
