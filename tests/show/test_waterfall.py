"""The waterfall draws the budget's numbers: each bar begins where the one above ends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.show.hand_made_traces import rows
from undertow.explanation.budget import TERMS
from undertow.show.figures.waterfall import causes, layers, waterfall

ODD_NAMES = ["</script><script>alert(1)</script>", "it's", 'say "so"', "a\\b", "${x}", "Schicht_ä"]


def document(gains: dict[str, dict[str, float]], **others: Any) -> dict[str, Any]:
    """Return a budget's document: of each layer, from the input's side, its terms."""
    found = [
        {
            "name": name,
            "terms": dict.fromkeys(TERMS, 0.0) | terms,
            "total": sum(terms.values()),
        }
        for name, terms in gains.items()
    ]
    totals = {term: sum(layer["terms"][term] for layer in found) for term in TERMS}
    total = sum(totals.values())
    return {"total_dex": total, "layers": found, "terms": totals, "closure_error": 0.0, **others}


LOSES = document(
    {
        "hidden_1": {"ceiling": -0.6, "weight_scale": 0.1, "alignment": -0.02},
        "hidden_2": {"ceiling": -0.6, "weight_scale": 0.2},
        "hidden_3": {"ceiling": -0.6, "saturation": -0.3, "skip": 0.001},
    }
)
GAINS = document({"1": {"weight_scale": 2.0, "saturation": -0.15}, "2": {"weight_scale": 1.5}})
BOTH = {"loses": LOSES, "gains": GAINS}


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("bars", [causes, layers])
def test_the_bars_telescope(name: str, bars: Any):
    *steps, total = bars(BOTH[name])
    at = 0.0
    for bar in steps:
        assert bar["low"] == pytest.approx(min(at, at + bar["dex"]))
        assert bar["high"] == pytest.approx(max(at, at + bar["dex"]))
        assert bar["end"] == pytest.approx(at + bar["dex"])
        assert bar["way"] == ("lost" if bar["dex"] < 0 else "gained")
        assert bar["said"] == f"{bar['dex']:+.2f}"
        at = bar["end"]
    assert [bar["place"] for bar in (*steps, total)] == list(range(len(steps) + 1))
    assert (total["name"], total["is_total"]) == ("total", True)
    assert not any(bar["is_total"] for bar in steps)
    dex = BOTH[name]["total_dex"]
    assert (total["dex"], total["low"], total["high"]) == (dex, min(dex, 0), max(dex, 0))
    assert at == pytest.approx(dex, abs=0.01)  # causes too small to see are left out


def test_by_layer_it_goes_the_gradients_way():
    assert [bar["name"] for bar in layers(LOSES)] == ["hidden_3", "hidden_2", "hidden_1", "total"]
    assert [bar["dex"] for bar in layers(LOSES)[:-1]] == pytest.approx([-0.899, -0.4, -0.52])


def test_by_cause_only_what_counts_is_drawn():
    drawn = {bar["name"]: bar["dex"] for bar in causes(LOSES)}
    assert list(drawn) == ["ceiling", "saturation", "weight scale", "alignment", "total"]
    assert drawn["ceiling"] == pytest.approx(-1.8)


def test_the_comparison_can_fail():
    wrong = LOSES | {"total_dex": -9.0}
    assert layers(wrong)[-1]["end"] != pytest.approx(layers(wrong)[-2]["end"], abs=0.01)


def test_the_chart_holds_these_bars():
    drawn = waterfall(BOTH)
    assert drawn
    found = rows(drawn.chart, "place")
    wanted = [bar for each in BOTH.values() for bar in (*causes(each), *layers(each))]
    key = [(bar["place"], bar["name"], bar["low"], bar["high"]) for bar in wanted]
    for bar in key:
        assert bar in [(row["place"], row["name"], row["low"], row["high"]) for row in found]
    assert "loses: total -1.82 dex; gains: total +3.35 dex" in drawn.alt


def test_bars_lie_within_the_axis():
    drawn = waterfall(BOTH)
    assert drawn
    for name, row in zip(BOTH, drawn.chart.to_dict()["vconcat"], strict=True):
        assert row["title"]["text"] == name
        for bars, panel in zip((causes, layers), row["hconcat"], strict=True):
            low, high = panel["layer"][1]["encoding"]["x"]["scale"]["domain"]
            assert all(low <= bar["low"] <= bar["high"] <= high for bar in bars(BOTH[name]))


def test_the_title_names_the_worst_and_its_cause():
    drawn = waterfall(BOTH)
    assert drawn
    assert drawn.title.startswith("gains gains 3.4 decades on the way back; the largest part, +3.5")
    drawn = waterfall({"loses": LOSES})
    assert drawn
    assert drawn.title.endswith("the largest part, -1.8, is ceiling")
    said = waterfall({"a": LOSES | {"summary": "All of it."}})
    assert said
    assert said.title == "a: All of it"


def test_odd_names_are_strings_of_the_axis():
    """A layer's name stands in an expression of Vega's, as a string that it cannot leave."""
    gains = {name: {"ceiling": -0.6} for name in ODD_NAMES}
    drawn = waterfall({name: document(gains) for name in ODD_NAMES})
    assert drawn
    written = drawn.chart.to_dict()
    for row in written["vconcat"]:
        axis = row["hconcat"][1]["layer"][1]["encoding"]["y"]["axis"]["labelExpr"]
        for name in ODD_NAMES:
            assert f"? {json.dumps(name)} :" in axis
    assert {row["name"] for row in rows(drawn.chart, "place")} >= set(ODD_NAMES)


def test_two_layers_of_one_name_have_a_bar_each():
    twice = document({"a": {"ceiling": -0.6}, "a ": {"ceiling": -0.6}})
    twice["layers"][1]["name"] = "a"
    assert [(bar["place"], bar["name"]) for bar in layers(twice)] == [
        (0, "a"),
        (1, "a"),
        (2, "total"),
    ]


def test_a_hundred_layers_are_drawn():
    many = document({f"layer_{i}": {"ceiling": -0.6} for i in range(100)})
    drawn = waterfall({"deep": many})
    assert drawn
    assert len(rows(drawn.chart, "place")) >= 101
    assert layers(many)[-1]["end"] == pytest.approx(-60)


def test_without_a_budget_there_is_none():
    assert waterfall({}) is None


def test_nothing_lost_is_drawn_too():
    drawn = waterfall({"even": document({"1": {}, "2": {}})})
    assert drawn
    assert "even: total +0.00 dex" in drawn.alt
