"""Which of several findings is the root cause."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

import undertow as ut
from tests.diagnosis.traces import FLAT, STEPS, broken_from, chain, made, row, slide
from undertow.diagnosis.evidence import Evidence
from undertow.diagnosis.root_cause import ORDER, majority, roots
from undertow.diagnosis.rule import Found
from undertow.diagnosis.rules import RULES
from undertow.trace.record import Trace

# Upstream in the flow of a fault first; codes of one group do not outrank one another here.
GROUPS = [
    ("UT109",),  # identical units
    ("UT108",),  # no gradient
    ("UT103",),  # dead
    ("UT104",),  # saturated
    ("UT111",),  # inputs
    ("UT113",),  # initialisation
    ("UT101", "UT102"),  # vanishing and exploding as such
    ("UT106", "UT107"),  # step size
]
PAIRS = [(first, second) for a, b in combinations(GROUPS, 2) for first in a for second in b]
SIGMOID = chain(9, "sigmoid")


def root_of(*codes: str, later: tuple[str, ...] = ()) -> str | None:
    """Return the root among findings that were there at the start, and of some that came later."""
    reading = Evidence(made(without=["preactivation_rms"]))
    there, nowhere = np.array([True]), np.zeros((1, reading.layers), bool)
    found = {code: Found(there, nowhere, np.array([code not in later]), "") for code in RANDOM}
    return roots({code: found[code] for code in (*later, *codes)}, reading)[0]


RANDOM = [ORDER[i] for i in np.random.default_rng(0).permutation(len(ORDER))]


def cause(trace: Trace, predicted: Trace | None = None) -> str | None:
    root = ut.diagnose(trace, predicted).root_cause
    return root.code if root else None


def test_every_rule_has_its_place():
    assert sorted(ORDER) == [rule.code for rule in RULES]


@pytest.mark.parametrize(("upstream", "downstream"), PAIRS)
def test_upstream_outranks_downstream(upstream: str, downstream: str):
    assert root_of(upstream, downstream) == upstream
    assert root_of(downstream, upstream) == upstream


@pytest.mark.parametrize(
    ("early", "late"),
    [
        ("UT101", "UT103"),
        ("UT101", "UT104"),
        ("UT102", "UT103"),
        ("UT102", "UT105"),
        ("UT106", "UT103"),
        ("UT107", "UT108"),
        ("UT113", "UT109"),
    ],
)
def test_what_was_there_at_the_start_outranks_what_came_later(early: str, late: str):
    assert root_of(early, late, later=(late,)) == early
    assert root_of(early, late) != early or ORDER.index(early) < ORDER.index(late)


def test_alone_each_is_the_root():
    for code in ORDER:
        assert root_of(code) == root_of(code, later=(code,)) == code
    assert root_of() is None


def test_nan_after_an_exploding_start_is_an_explosion():
    trace = made(chain(9), delta_norm=slide(9, 24), **broken_from(6, 10))
    found = ut.diagnose(trace)
    assert (found.outcome, found.root_cause and found.root_cause.code) == ("sick", "UT102")
    assert "UT105" in {each.code for each in found.findings}


def test_nan_after_a_healthy_start_is_itself():
    assert cause(made(**broken_from(30, 7))) == "UT105"


def test_equal_units_outrank_the_gradient_that_they_lose():
    trace = made(SIGMOID, delta_norm=slide(9, -24), loss=FLAT, distinct_units=row(10, 0, at_10=1))
    assert cause(trace) == "UT109"


def test_a_detached_layer_outranks_a_gradient_that_vanishes_behind_it():
    grad = row(10, 0.1, at_1=np.nan, at_2=np.nan)
    trace = made(SIGMOID, delta_norm=slide(9, -24), loss=FLAT, grad_norm=grad)
    assert cause(trace) == "UT108"


def test_dead_units_outrank_the_gradient_that_they_stop():
    sick = {"dead_fraction": row(10, 0.1, at_5=0.98), "delta_norm": slide(9, -24)}
    assert cause(made(chain(9), **sick)) == "UT103"


def test_a_layer_dead_at_birth_is_why_no_gradient_comes():
    gone = row(7, 0.1, at_1=0, at_2=0, at_3=0)
    trace = made(grad_norm=gone, delta_norm=gone, dead_fraction=row(7, 0.1, at_3=1), loss=FLAT)
    assert cause(trace) == "UT110"


def test_saturated_units_outrank_the_gradient_that_they_stop():
    sick = {"saturated_fraction": row(10, 0.97, at_10=0), "delta_norm": slide(9, -24)}
    assert cause(made(SIGMOID, **sick, loss=FLAT)) == "UT104"


def test_inputs_of_a_wrong_size_are_why_units_saturate():
    sick = {
        "input_rms": 500.0,
        "preactivation_rms": row(10, 1, at_1=450),
        "saturated_fraction": row(10, 0.02, at_1=0.99),
    }
    assert cause(made(SIGMOID, **sick, loss=FLAT)) == "UT111"


def test_the_initialisation_outranks_what_it_makes_of_the_gradient():
    layers, deltas = chain(9), slide(9, -24)
    predicted = made(layers, steps=1, source="predicted", without=["loss"], delta_norm=deltas)
    trace = made(layers, delta_norm=deltas, loss=FLAT)
    assert cause(trace, predicted) == "UT113"
    assert cause(trace) == "UT101"


def test_a_gradient_that_vanishes_outranks_the_small_steps_it_makes():
    still = row(10, 8e-12, at_10=8e-3)
    trace = made(SIGMOID, delta_norm=slide(9, -24), loss=FLAT, update_norm=still)
    assert cause(trace) == "UT101"


def test_units_that_large_steps_have_killed_are_the_steps_doing():
    dead = np.full((STEPS, 7), 0.05)
    dead[20:, :6] = 0.99
    loss = np.append(np.full(5, 1.0), np.full(55, 50.0))
    trace = made(dead_fraction=dead, update_norm=8 * 3.0, loss=loss)
    assert cause(trace) in ("UT106", "UT114")


def replicated(sick: int, of: int, other: int = 0) -> Trace:
    """Explode in some replicates, break without a warning in others."""
    deltas, nonfinite = np.full((of, 1, 10), 0.01), np.zeros((of, STEPS, 10))
    deltas[:sick, 0] = slide(9, 24)
    nonfinite[sick : sick + other, 30:] = 1
    return made(chain(9), replicates=of, delta_norm=deltas, nonfinite=nonfinite)


@pytest.mark.parametrize(
    ("sick", "of", "outcome"),
    [
        (5, 5, "sick"),
        (3, 5, "sick"),
        (2, 5, "healthy"),
        (0, 5, "healthy"),
        (1, 2, "undecided"),
        (2, 4, "undecided"),
    ],
)
def test_the_majority_of_the_replicates_decides(sick: int, of: int, outcome: str):
    found = ut.diagnose(replicated(sick, of))
    assert found.outcome == outcome
    assert (found.root_cause is None) == (outcome != "sick")
    assert [each.share for each in found.findings] == [sick / of] * (sick > 0)
    if outcome == "undecided":
        assert found.reason == "as many replicates say one thing as another"


def test_of_several_causes_the_most_frequent_is_the_root():
    found = ut.diagnose(replicated(3, 6, other=1))
    assert found.root_cause
    assert found.root_cause.code == "UT102"
    assert ut.diagnose(replicated(2, 5, other=2)).outcome == "undecided"
    assert majority(["UT105", "UT102", "UT102", None]) == ("UT102", False)
