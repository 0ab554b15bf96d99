"""UT105: a NaN or an Inf, and where it arose."""

from __future__ import annotations

import numpy as np
import pytest

from tests.diagnosis.traces import FALLING, broken_from, finding, made, outcome, verdict
from undertow.trace.record import Event


def test_the_first_step_and_the_place_are_named():
    event = Event("nonfinite", 20, "hidden_3", None, "output of 'hidden_3' is NaN")
    found = finding(made(events=[event], **broken_from(20, 7)), "UT105")
    assert found.layers == ("hidden_3",)
    assert not found.at_start
    assert found.evidence == "from step 20 on: output of 'hidden_3' is NaN"


def test_without_an_event_the_step_is_still_known():
    found = finding(made(**broken_from(20, 7)), "UT105")
    assert found.evidence == "from step 20 on"
    assert finding(made(**broken_from(1, 7)), "UT105").at_start


def test_an_event_alone_is_enough():
    """The layer may be none of the trace's: an input, or the loss."""
    event = Event("nonfinite", 7, "inputs", None, "the inputs hold NaN")
    found = finding(made(events=[event]), "UT105")
    assert (found.layers, "step 7" in found.evidence) == ((), True)


def test_an_infinite_loss_is_one():
    loss = FALLING.copy()
    loss[30] = np.inf
    assert "step 31" in finding(made(loss=loss), "UT105").evidence


@pytest.mark.parametrize("event", ["clipped", "underflow", "overflow", "interrupted"])
def test_finite_numbers_pass(event: str):
    trace = made(events=[Event(event, 2, "hidden_1")])
    assert verdict(trace, "UT105") == ("passed", "every number is finite")


def test_what_was_not_logged_at_each_step_is_no_nan():
    loss = FALLING.copy()
    loss[1::2] = np.nan
    assert outcome(made(loss=loss), "UT105") == "passed"


def test_of_replicates_the_share_is_told():
    nonfinite = np.zeros((4, 60, 7))
    nonfinite[2, 10:] = 1
    found = finding(made(replicates=4, nonfinite=nonfinite), "UT105")
    assert found.share == 0.25


def test_with_no_gradient_and_no_loss_it_is_not_measured():
    became, reason = verdict(made(without=["grad_norm", "loss", "nonfinite"]), "UT105")
    assert became == "not measured"
    assert reason
