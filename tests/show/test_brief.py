"""The first screen of a report, and the box at its end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.show.hand_made_traces import document, trace
from undertow.show.report import brief, method, page_tables
from undertow.show.report.citation import citation
from undertow.trace.record import Event

WELL: dict[str, Any] = {"outcome": "healthy", "reason": "", "root_cause": None}
OPEN: dict[str, Any] = WELL | {"outcome": "undecided", "reason": "too few steps"}


def sick(title: str, *helps: str) -> dict[str, Any]:
    root = {
        "code": "UT101",
        "title": title,
        "layers": ["a"],
        "remedies": list(helps),
        "advice": [f"do {each}" for each in helps],
    }
    return {"outcome": "sick", "reason": "", "root_cause": root}


FADES, DIES = sick("vanishing gradient", "batch-norm", "critical", "selu"), sick("dead units")


@pytest.mark.parametrize(
    ("diagnoses", "said"),
    [
        ({}, ""),
        ({"a": WELL}, "a is healthy: the gradient reaches every layer."),
        ({"a": FADES}, "a is sick: vanishing gradient (UT101) at a."),
        ({"a": OPEN}, "a is undecided, because too few steps."),
        (dict.fromkeys("abc", WELL), "All 3 arms are healthy: the gradient reaches every layer."),
        ({"a": OPEN, "b": OPEN}, "2 arms are undecided."),
        (
            {"a": FADES, "b": DIES, "c": FADES},
            "3 of 3 arms are sick: vanishing gradient in a and c; dead units in b.",
        ),
        (
            {"a": DIES, "b": OPEN, "c": WELL},
            "1 of 3 arms is sick: dead units in a. 1 arm is undecided. 1 arm is healthy: the "
            "gradient reaches every layer.",
        ),
        (
            dict.fromkeys("abcdefg", FADES),
            "7 of 7 arms are sick: vanishing gradient in a, b, c, d and 3 more.",
        ),
    ],
)
def test_the_headline_counts_every_arm_once(diagnoses: dict[str, Any], said: str):
    assert brief.headline(diagnoses) == said


def row(arm: str, difference: float | None, p: float | None = 0.01) -> dict[str, Any]:
    return {"arm": arm, "baseline": "base", "difference": difference, "p_holm": p}


def test_what_to_do_names_the_first_two_remedies_of_each_cause():
    assert brief.to_do({"a": FADES, "b": DIES, "c": FADES, "d": OPEN}, {}) == [
        "Against vanishing gradient (in a and c): do batch-norm, or else do critical.",
        "Against dead units (in b): no remedy is known.",
        "No verdict on d, because too few steps.",
    ]


def test_a_remedy_that_was_tried_on_the_sick_arm_comes_with_its_effect():
    tried = {"comparisons": [row("batch-norm", 0.125)]}
    here = " (tried here as batch-norm: +12.5 points of test accuracy)"
    said = "Against vanishing gradient (in {}): do batch-norm{}, or else do critical."
    assert brief.to_do({"base": FADES}, tried)[0] == said.format("base", here)
    # On another arm than the baseline it was not tried.
    assert brief.to_do({"other": FADES}, tried)[0] == said.format("other", "")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], []),
        ([row("a", -0.1), row("b", 0.0), row("c", None)], []),
        (
            [row("a", 0.25), row("b", 0.5)],
            ["Of what was tried here b gains most over base: +50.0 points of test accuracy."],
        ),
        (
            [row("a", 0.5, 0.2), row("b", 0.5), row("c", 0.1)],
            [
                "Of what was tried here a and b gain most over base: +50.0 points of test "
                "accuracy; these replicates alone do not tell that from chance."
            ],
        ),
    ],
)
def test_what_did_best_is_said_with_its_doubt(rows: list[dict[str, Any]], said: list[str]):
    assert brief.to_do({}, {"comparisons": rows}) == said


def test_what_was_watched():
    watched = trace(1, source="watched", optimizers="Adam", batch_size=32)
    watched.dataset.attrs["steps"] = 90
    assert brief.what_was_tried({}, {"net\x1b": watched}) == (
        "The training of net\\x1b was watched in its own loop, with Adam and batches of 32: "
        "4 layers were measured in 6 of 90 steps."
    )


def test_claims_that_were_not_tested_are_not_counted():
    assert brief.tally([{"verdict": "not tested"}]) == ""
    assert brief.tally([{"verdict": "not tested"}, {"verdict": "contradicted"}]) == (
        "Of the one published claim put to the test, 1 is contradicted."
    )


def test_what_is_cited():
    later = trace(2, created="2026-02-03T04:05:06+00:00", versions={"undertow": "0.2.0"})
    traces = {"a": trace(3), "b": later}
    found = citation(document(["a", "b"]), traces, "undertow report moons -o r.html")
    assert found.text == (
        "Undertow 0.1.0 and 0.2.0, report of runs moons-0, moons-1; 2026-01-01 to 2026-02-03."
    )
    assert dict(found.facts)["seeds"] == "0 to 2 (a); 0 to 1 (b)"
    assert (found.command, found.again) == ("undertow report moons -o r.html", "")


def test_seeds_of_a_watched_run_are_not_made_up():
    found = citation({"runs": {"net": "net-1"}}, {"net": trace(1, source="watched")}, "c")
    assert found.text == "Undertow 0.1.0, report of run net-1; 2026-01-01."
    assert "seeds" not in dict(found.facts)


def test_ways_to_train_stand_once():
    slow = {"optimizer": "sgd", "learning_rate": 0.1, "epochs": 3, "batch_size": 8}
    found = method.trainings({"a": trace(), "b": trace(training=slow), "c": trace()})
    assert [(each.arms, each.optimizer, each.learning_rate) for each in found] == [
        (["a", "c"], "keras adam", "0.001"),
        (["b"], "sgd", "0.1"),
    ]
    assert (found[1].batch_size, found[1].epochs) == ("8", "3")


def test_events_are_counted_by_kind_and_the_first_is_told():
    events = [
        Event("clipped", 5, None, 0, "factor 0.2"),
        Event("clipped", 2, None, 1, "factor 0.5"),
        Event("nonfinite", 3, "hidden_1", 0, "in the loss"),
    ]
    rows = page_tables.events({"a": trace(events=events), "b": trace()})
    kept = ("arm", "kind", "count", "step", "layer", "detail")
    assert [tuple(each[name] for name in kept) for each in rows] == [
        ("a", "clipped", "2", "2", "–", "factor 0.5"),
        ("a", "nonfinite", "1", "3", "hidden_1", "in the loss"),
    ]
    assert rows[0]["meaning"] == "a gradient was clipped before the update"
