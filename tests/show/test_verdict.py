"""A diagnosis and a budget as people read them in a terminal and in a report."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from undertow.explanation.budget import TERMS
from undertow.show.terminal import verdict

RULES = [
    {"code": "UT101", "outcome": "found", "reason": "much"},
    {"code": "UT102", "outcome": "passed", "reason": "total -6.0 dex"},
    {"code": "UT103", "outcome": "not applicable", "reason": "no flat side"},
    {"code": "UT104", "outcome": "not measured", "reason": "no share"},
    {"code": "UT105", "outcome": "passed", "reason": "finite"},
]
HEALTHY: dict[str, Any] = {
    "outcome": "healthy",
    "reason": "",
    "root_cause": None,
    "findings": [],
    "rules": RULES[1:],
}


def finding(code: str, title: str, evidence: str, share: float = 1.0) -> dict[str, Any]:
    return {"code": code, "title": title, "evidence": evidence, "share": share}


def sick(*layers: str, evidence: str = "6.0 decades are lost", share: float = 1.0) -> dict:
    root = {
        "code": "UT101",
        "title": "vanishing gradient",
        "layers": list(layers),
        "evidence": evidence,
        "remedies": ["batch-norm", "critical"],
        "advice": ["normalise each layer's output", "draw the initial weights " * 6],
    }
    findings = [
        finding("UT101", "vanishing gradient", evidence, share),
        finding("UT107", "updates too small", "1e-09 a step"),
    ]
    return HEALTHY | {
        "outcome": "sick",
        "root_cause": root,
        "findings": findings,
        "rules": RULES,
    }


def printed(shown: object, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False)
    console.print(shown)
    return console.file.getvalue()  # pyright: ignore


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([], "sick: vanishing gradient (UT101)"),
        (["a"], "sick: vanishing gradient (UT101) at a"),
        (["a", "b"], "sick: vanishing gradient (UT101) at a, b"),
        (list("abcdefghij"), "sick: vanishing gradient (UT101) at a, b, c, d and 6 more"),
    ],
)
def test_the_headline_names_layers_and_counts_the_rest(layers: list[str], said: str):
    assert verdict.headline(sick(*layers)) == said


def test_the_headline_of_other_outcomes():
    assert verdict.headline(HEALTHY) == "healthy: the gradient reaches every layer"
    undecided = HEALTHY | {"outcome": "undecided", "reason": "of the deltas nothing is known"}
    assert verdict.headline(undecided) == "undecided, because of the deltas nothing is known"


def test_a_diagnosis_in_full():
    text = printed(verdict.diagnosis(sick("hidden_1"), "my_net.py:make"))
    lines = text.splitlines()
    assert lines[0].rstrip() == "my_net.py:make: sick: vanishing gradient (UT101) at hidden_1"
    assert lines[1].rstrip() == "  6.0 decades are lost."
    assert max(map(len, lines)) <= 80
    assert text.index("batch-norm") < text.index("critical") < text.index("UT107")
    assert "Follows from it, or beside it:" in text
    assert "UT107  updates too small: 1e-09 a step" in text
    said = " ".join(text.split())
    assert "Of the other rules: 2 passed, 1 not applicable, 1 not measured." in said


def test_findings_without_a_root():
    """Of a minority of replicates, for example."""
    others = [finding("UT105", "non-finite values", "from step 3 on", 0.2)]
    text = printed(verdict.diagnosis(HEALTHY | {"findings": others}, "run"))
    assert "Also found:" in text
    assert "UT105  non-finite values: from step 3 on" in text
    assert "What helps" not in text


@pytest.mark.parametrize("odd", ["[bold]x[/bold]", "\x1b[31mred", "</script>", "a\nb", "層"])
def test_odd_names_are_only_text(odd: str):
    document = sick(odd, evidence=f"all of it at '{odd}'")
    text = printed(verdict.diagnosis(document, odd), width=200)
    assert "\x1b" not in text
    assert "\n" not in verdict.headline(document)
    if odd.isprintable():
        assert text.count(odd) == 3


def test_the_verdicts_of_a_report():
    doubtful = HEALTHY | {"outcome": "undecided", "reason": "too few steps"}
    ill = sick("a", share=0.85)
    found = verdict.verdicts(
        {"relu": HEALTHY, "tanh": HEALTHY, "elu": doubtful, "sigmoid": ill, "deep": ill},
        {"sigmoid": {"summary": "All of it."}, "relu": {"summary": "None."}},
    )
    assert [(each.arms, each.outcome) for each in found] == [
        (["sigmoid"], "sick"),
        (["deep"], "sick"),  # nobody knows where its gradient goes: not alike
        (["elu"], "undecided"),
        (["relu", "tanh"], "healthy"),
    ]
    first, second, third, last = found
    assert (first.code, first.cause, first.layers) == ("UT101", "vanishing gradient", "a")
    assert first.evidence == "6.0 decades are lost (85 % of the replicates)"
    assert (first.lost, second.lost, last.lost) == ("All of it.", "", "")
    assert [name for name, _ in first.helps] == ["batch-norm", "critical"]
    assert first.also == [("UT107", "updates too small")]
    assert (third.reason, last.code, last.helps) == ("too few steps", "", [])


def test_a_share_of_all_is_not_said():
    (whole,) = verdict.verdicts({"sigmoid": sick("a")})
    assert whole.evidence == "6.0 decades are lost"


def budget(**names: dict[str, float]) -> dict[str, Any]:
    layers = [
        {"name": name, "terms": dict.fromkeys(TERMS, 0.0) | terms, "total": sum(terms.values())}
        for name, terms in names.items()
    ]
    totals = {term: sum(layer["terms"][term] for layer in layers) for term in TERMS}
    return {
        "layers": layers,
        "terms": totals,
        "total_dex": sum(totals.values()),
        "closure_error": 3e-8,
    }


def test_the_table_of_a_budget():
    document = budget(
        first={"ceiling": -0.6, "weight_scale": 0.1}, second={"ceiling": -0.6, "skip": 0.25}
    )
    text = printed(verdict.budget(document))
    lines = [line.split() for line in text.splitlines() if line.strip()]
    assert ["layer", "ceiling", "weights", "skip", "gain"] in lines  # only what counts
    assert [line for line in lines if line[0] in ("first", "second", "all")] == [
        ["second", "-0.60", "+0.00", "+0.25", "-0.35"],
        ["first", "-0.60", "+0.10", "+0.00", "-0.50"],
        ["all", "-1.20", "+0.10", "+0.25", "-0.85"],
    ]
    assert "within 3e-08 dex" in " ".join(text.split())


def test_a_long_name_does_not_push_the_numbers_out():
    every = dict.fromkeys(TERMS, -12.34)
    document = budget(**{"encoder.layers.11.self_attention.output.dense": every, "[b]": every})
    text = printed(verdict.budget(document))
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("-12.34") == 2 * len(TERMS)
    assert set(verdict.SHORT) == set(TERMS)
