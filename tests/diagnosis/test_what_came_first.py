"""What came first is not always the root: later steps, late NaN, updates that were left out."""

from __future__ import annotations

import numpy as np

import undertow as ut
from tests.diagnosis.traces import (
    FALLING,
    FLAT,
    STEPS,
    broken_from,
    chain,
    finding,
    made,
    outcome,
    slide,
)
from undertow.trace.record import Event


def updates(*, at: int, times: float) -> np.ndarray:
    """Updates of a thousandth of each weight, of 8, and one step of `times` its norm."""
    found = np.full((STEPS, 7), 8e-3)
    found[at - 1] = 8.0 * times
    return found


def test_a_start_as_usual_does_not_outrank_one_giant_step_on_the_way():
    start = slide(6, -1.8)
    trace = made(delta_norm=start, update_norm=updates(at=30, times=4.0), loss=FLAT)
    found = ut.diagnose(trace)
    assert found.root_cause is not None
    assert found.root_cause.code == "UT106"
    assert found.root_cause.evidence == "a step changes a weight by 400 % of its norm"
    without = ut.diagnose(made(delta_norm=start, loss=FLAT))
    assert without.root_cause is not None
    assert without.root_cause.code == "UT101"


def test_a_large_step_after_which_units_are_dead_is_their_end():
    dead = np.full((STEPS, 7), 0.05)
    dead[30:, 3] = 1.0
    start = slide(6, -1.8)
    large = {"delta_norm": start, "update_norm": updates(at=30, times=0.4), "loss": FLAT}
    root = ut.diagnose(made(**large, dead_fraction=dead)).root_cause
    assert root is not None
    assert root.code == "UT106"
    root = ut.diagnose(made(**large)).root_cause  # with all units alive
    assert root is not None
    assert root.code == "UT101"


def test_a_giant_step_of_a_network_that_learns_is_no_fault():
    assert outcome(made(update_norm=updates(at=30, times=4.0), loss=FALLING), "UT106") == "passed"


def test_a_giant_first_step_explains_tiny_ones_after_it():
    found = np.full((STEPS, 7), 8e-9)
    found[0] = 400.0
    trace = made(update_norm=found, loss=FLAT)
    assert outcome(trace, "UT107") == "found"
    root = ut.diagnose(trace).root_cause
    assert root is not None
    assert root.code == "UT106"


def test_a_nan_after_the_loss_has_fallen_is_not_the_first_steps_fault():
    large = {"update_norm": 2.4}  # .3 of each weight's norm a step
    broken = broken_from(40, 7)
    fell = np.where(np.isnan(broken["loss"]), np.nan, np.linspace(1.0, 0.02, STEPS))
    root = ut.diagnose(made(**large, **{**broken, "loss": fell})).root_cause
    assert root is not None
    assert root.code == "UT105"
    root = ut.diagnose(made(**large, **broken)).root_cause  # it stood at 1 until then
    assert root is not None
    assert root.code in ("UT106", "UT114")


def skipping(steps: list[int]) -> dict:
    bad = np.isin(np.arange(1, STEPS + 1), steps)[:, None]
    events = [Event("skipped", step, None, 0, "an update was left out") for step in steps]
    return {
        "nonfinite": np.where(bad, 3.0, np.zeros((1, 7))),
        "grad_norm": np.where(bad, np.nan, np.full((1, 7), 0.1)),
        "events": events,
    }


def test_updates_that_mixed_precision_left_out_now_and_then_are_no_nan():
    assert outcome(made(**skipping([7, 33])), "UT105") == "passed"
    assert ut.diagnose(made(**skipping([7, 33]))).outcome == "healthy"


def test_a_scale_that_overflows_at_most_steps_is_one():
    assert outcome(made(**skipping(list(range(2, 50)))), "UT105") == "found"


def test_an_update_of_nan_is_one_that_moved():
    change = np.full((STEPS, 7), 8e-3)
    change[:, 2] = np.nan
    grew = np.zeros((STEPS, 7))
    grew[:, 2] = 4.0
    trace = made(update_norm=change, nonfinite=grew, loss=FLAT)
    assert outcome(trace, "UT107") == "passed"
    change[:, 2] = 0.0  # a weight that no optimizer has
    assert (
        "no optimizer moves them" in finding(made(update_norm=change, loss=FLAT), "UT107").evidence
    )


def test_a_relu_on_the_output_that_is_dead_at_birth_is_found():
    layers = [each._replace(activation="relu") for each in chain()]
    dead = np.where(np.arange(1, 8) == 7, 1.0, 0.05)
    found = ut.diagnose(made(layers, dead_fraction=dead, grad_norm=0.0, delta_norm=0.0, loss=FLAT))
    assert found.root_cause is not None
    assert (found.root_cause.code, found.root_cause.layers) == ("UT110", ("output",))
