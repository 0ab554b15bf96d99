"""The document, its outcomes, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

import undertow as ut
from tests.diagnosis.traces import FLAT, broken_from, chain, made, row, slide
from undertow.diagnosis.rule import SEVERITIES
from undertow.diagnosis.rules import RULES
from undertow.diagnosis.thresholds import DEFAULT, Thresholds, describe
from undertow.errors import TraceError
from undertow.remedies import ADVICE
from undertow.trace.record import Trace

CODES = [f"UT{number}" for number in range(101, 115)]
TRACES: dict[str, Callable[[], Trace]] = {
    "healthy": made,
    "vanishing": lambda: made(chain(9, "sigmoid"), delta_norm=slide(9, -24), loss=FLAT),
    "exploding": lambda: made(chain(9), delta_norm=slide(9, 24), **broken_from(5, 10)),
    "dead": lambda: made(dead_fraction=row(7, 0.1, at_3=0.98)),
    "nothing": lambda: made(steps=0),
    "three": lambda: made(replicates=3),
    "gradients alone": lambda: made(
        without=[
            *("delta_norm", "slope_rms", "saturated_fraction", "dead_fraction", "distinct_units"),
            *("update_norm", "weight_norm", "input_rms"),
        ]
    ),
}


def test_the_rules_are_numbered_without_a_gap():
    assert [rule.code for rule in RULES] == CODES
    assert {rule.severity for rule in RULES} <= set(SEVERITIES)


@pytest.mark.parametrize("name", TRACES)
def test_the_document(name: str):
    document = ut.diagnose(TRACES[name]()).document()
    json.dumps(document, allow_nan=False)
    assert set(document) >= {"outcome", "reason", "root_cause", "findings", "rules"}
    assert [each["code"] for each in document["rules"]] == CODES
    words = {"found", "passed", "not applicable", "not measured"}
    assert {each["outcome"] for each in document["rules"]} <= words
    assert all(each["reason"] for each in document["rules"])
    assert (document["root_cause"] is not None) == (document["outcome"] == "sick")
    found = [each["code"] for each in document["rules"] if each["outcome"] == "found"]
    assert sorted(each["code"] for each in document["findings"]) == found


@pytest.mark.parametrize(
    ("name", "outcome", "code"),
    [
        ("healthy", "healthy", None),
        ("three", "healthy", None),
        ("vanishing", "sick", "UT101"),
        ("exploding", "sick", "UT102"),
        ("dead", "sick", "UT103"),
        ("nothing", "undecided", None),
        ("gradients alone", "undecided", None),
    ],
)
def test_the_outcome(name: str, outcome: str, code: str | None):
    found = ut.diagnose(TRACES[name]())
    assert found.outcome == outcome
    assert found.healthy == (outcome == "healthy")
    assert (found.root_cause.code if found.root_cause else None) == code
    assert bool(found.reason) == (outcome == "undecided")


def test_the_root_cause_leads_the_findings_and_has_remedies_with_advice():
    found = ut.diagnose(TRACES["exploding"]())
    root = found.root_cause
    assert root
    assert (found.findings[0].code, found.findings[0].layers) == (root.code, root.layers)
    assert not found.findings[0].symptom
    assert all(each.symptom for each in found.findings[1:])
    assert root.remedies
    assert set(root.remedies) <= set(ADVICE)
    written = found.document()["root_cause"]
    assert written["advice"] == [ADVICE[name] for name in root.remedies]
    assert set(written) == {"code", "title", "layers", "evidence", "remedies", "advice"}


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("dex", [-24, 24])
def test_remedies_fit_what_is_there(activation: str, dex: float):
    root = ut.diagnose(made(chain(9, activation), delta_norm=slide(9, dex), loss=FLAT)).root_cause
    assert root
    assert root.remedies
    assert len(set(root.remedies)) == len(root.remedies)
    if activation == "sigmoid" and dex < 0:
        assert "layer-norm" not in root.remedies  # the mean of the units would stay


def test_one_step_of_a_deep_decline_asks_for_more():
    """What some networks learn with and some do not is not decided by one pass."""
    thresholds = Thresholds(vanishing=-90, at_once=80)
    deltas = slide(9, -40)
    once = ut.diagnose(made(chain(9), steps=1, delta_norm=deltas), thresholds=thresholds)
    assert once.outcome == "undecided"
    assert "watch" in once.reason
    learns = ut.diagnose(made(chain(9), delta_norm=deltas), thresholds=thresholds)
    assert learns.outcome == "healthy"


def test_a_loss_that_does_not_fall_is_said_where_no_rule_finds_a_reason():
    found = ut.diagnose(made(loss=FLAT))
    assert (found.outcome, found.root_cause) == ("healthy", None)
    assert "600 steps the loss has not fallen" in found.reason


@pytest.mark.parametrize("what", [None, 3, "moons-relu-1", {"outcome": 1}])
def test_what_is_no_trace_is_refused(what: object):
    with pytest.raises(TraceError, match="a Trace is needed") as caught:
        ut.diagnose(what)  # pyright: ignore
    assert "\n" not in str(caught.value)
    if what is not None:
        with pytest.raises(TraceError, match="predicted: a Trace of ut.predict"):
            ut.diagnose(made(), what)  # pyright: ignore


def test_a_dataset_is_no_trace():
    with pytest.raises(TraceError, match="a Trace is needed, not a Dataset"):
        ut.diagnose(made().to_xarray())  # pyright: ignore


def test_a_prediction_of_other_layers_is_refused():
    other = made(chain(7), steps=1, source="predicted", without=["loss"])
    with pytest.raises(TraceError, match="layer 'hidden_7' is in one of the two traces only"):
        ut.diagnose(made(), other)
    with pytest.raises(TraceError, match="layer 'hidden_7' is in one of the two traces only"):
        ut.diagnose(made(chain(7)), made(steps=1, source="predicted", without=["loss"]))


def test_a_prediction_of_the_same_layers_is_taken():
    predicted = made(steps=1, source="predicted", without=["loss"])
    found = ut.diagnose(made(), predicted)
    assert found.healthy
    assert {each.code: each.outcome for each in found.rules}["UT113"] == "passed"


def test_thresholds_are_checked():
    assert Thresholds(**{name: getattr(DEFAULT, name) for name in Thresholds.model_fields})
    for bad in (
        {"vanishing": 1.0},
        {"exploding": -1.0},
        {"dead": 0.0},
        {"dead": 1.5},
        {"saturated": -0.1},
        {"small_batch": 0},
        {"steps": 1},
        {"grown": 0.5},
        {"large_update": "much"},
        {"no_such_threshold": 1.0},
        {"vanishing": float("nan")},
    ):
        with pytest.raises(ValueError, match=next(iter(bad))):
            Thresholds(**bad)  # pyright: ignore
    with pytest.raises(ValueError, match="frozen"):
        DEFAULT.vanishing = -1.0  # pyright: ignore


def test_thresholds_change_the_verdict():
    trace = made(chain(9), delta_norm=slide(9, -24))
    assert not ut.diagnose(trace).healthy
    lenient = Thresholds(vanishing=-90, vanishing_idle=-90, at_once=80)
    assert ut.diagnose(trace, thresholds=lenient).healthy


def test_each_threshold_is_described():
    rows = describe()
    assert len(rows) == len({each.name for each in rows}) == len(Thresholds.model_fields)
    for each in rows:
        assert each.unit
        assert len(each.reason) >= 9
        assert each.value == getattr(DEFAULT, each.name, getattr(DEFAULT, f"{each.name}_", None))
    assert describe(Thresholds(vanishing=-7.5))[0].value == -7.5


def test_a_first_step_alone_leaves_steep_losses_open_by_the_majority_of_replicates():
    """One network in three that lies low by its seed casts no doubt on the others."""
    steep, level = slide(6, -3.6), slide(6, 0.0)
    one = made(steps=1, delta_norm=steep)
    assert ut.diagnose(one).outcome == "undecided"
    assert "first step shows -3." in ut.diagnose(one).reason
    low = np.stack([steep, level, level])[:, None, :]
    assert ut.diagnose(made(steps=1, replicates=3, delta_norm=low)).outcome == "healthy"
    most = np.stack([steep, steep, level])[:, None, :]
    assert ut.diagnose(made(steps=1, replicates=3, delta_norm=most)).outcome == "undecided"
