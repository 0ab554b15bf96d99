import json
import re

import numpy as np
import pytest

from tests.show.hand_made_traces import rows, trace
from undertow.show.figures import KINDS
from undertow.show.figures.activation import functions, preactivations
from undertow.show.figures.curves import accuracy, loss
from undertow.show.figures.data import data
from undertow.show.figures.decision_surface import decision_surface, middle_replicate, runs
from undertow.show.figures.epochs import epochs
from undertow.show.figures.heatmap import heatmap
from undertow.show.figures.outcomes import stuck_dots, test_accuracy
from undertow.show.figures.profile import deltas, gradients
from undertow.show.figures.ranking import ranking
from undertow.show.figures.weight_change import weight_change
from undertow.show.figures.weights import weights
from undertow.trace.record import Event

ARMS = {"a": trace(seed=1), "b": trace(seed=2, activation="relu")}
HOSTILE = "<script>alert(1)</script>"

# pytest would take the imported function for a test.
accuracy_at_the_end = test_accuracy
del test_accuracy


def array(arm, name):
    return ARMS[arm].to_xarray()[name].values


def check_profile(drawn, norms):
    """Compare what a profile draws with numbers recomputed from the norms [R, steps, layers]."""
    expected = {"step 1": norms[:, 0], "last epoch": norms[:, -2:].mean(1)}
    for moment, values in expected.items():
        for layer in range(values.shape[1]):
            (row,) = [row for row in drawn if (row["moment"], row["layer"]) == (moment, layer + 1)]
            low, middle, high = np.quantile(values[:, layer], [0.05, 0.5, 0.95])
            assert [row["low"], row["value"], row["high"]] == pytest.approx([low, middle, high])


@pytest.mark.parametrize(("draw", "name"), [(gradients, "grad_norm"), (deltas, "delta_norm")])
@pytest.mark.parametrize("arm", ["a", "b"])
def test_a_profile_draws_the_traces_numbers(draw, name, arm):
    drawn = [row for row in rows(draw(ARMS), "moment", "value") if row["arm"] == arm]
    check_profile(drawn, array(arm, name))


def test_the_comparison_of_profiles_can_fail():
    drawn = [row for row in rows(gradients(ARMS), "moment", "value") if row["arm"] == "a"]
    with pytest.raises(AssertionError):
        check_profile(drawn, array("a", "grad_norm") * 1.01)


def test_a_profiles_title_names_the_largest_loss():
    def vanish(norms):
        norms[:, 0] = [1e-6, 1e-3, 1.0, 1.0]

    chart = gradients({"deaf": trace(changes={"grad_norm": vanish}), "b": ARMS["b"]})
    assert " ".join(chart.title.text).startswith(
        "At step 1 layer 1 of deaf gets 1 × 10⁻⁶ times the weight gradient of its last hidden layer"
    )


def test_a_heat_map_draws_the_decades():
    drawn = rows(heatmap({"a": ARMS["a"]}), "dex")
    norms = np.median(array("a", "grad_norm"), 0)
    assert len(drawn) == 3 * 4
    for row in drawn:
        first = 2 * (int(row["start"]) - 1)
        expected = np.log10(norms[first : first + 2, row["layer"] - 1]).mean()
        assert row["dex"] == pytest.approx(expected, abs=1e-3)


def test_a_long_run_has_120_columns_at_most():
    drawn = rows(heatmap({"a": trace(epochs=500, steps=1)}), "dex")
    assert len({row["start"] for row in drawn}) == 120
    assert max(row["end"] for row in drawn) == 501


def test_a_heat_maps_scale_never_moves():
    for arms in ({"a": ARMS["a"]}, {"b": ARMS["b"]}):
        (panel,) = heatmap(arms).to_dict()["concat"]
        assert panel["layer"][0]["encoding"]["color"]["scale"] == {
            "type": "quantize",
            "domain": [-12, 6],
            "scheme": {"name": "cividis", "count": 18},
        }


def test_the_gradient_of_every_layer_by_epoch():
    drawn = rows(epochs({"a": ARMS["a"]}), "share")
    entries = np.median(array("a", "grad_mean_abs"), 0)
    assert len(drawn) == 3 * 4
    for row in drawn:
        first = 2 * (int(row["when"]) - 1)
        expected = 10 ** np.log10(entries[first : first + 2, row["layer"] - 1]).mean()
        assert row["value"] == pytest.approx(expected)
        assert row["share"] == pytest.approx((row["layer"] - 1) / 3)


def test_a_layer_without_a_gradient_has_no_line():
    def silent(entries):
        entries[:, :, 0] = 0.0
        entries[:, 2:, 1] = np.nan

    drawn = rows(epochs({"a": trace(changes={"grad_mean_abs": silent})}), "share")
    assert {row["layer"] for row in drawn} == {2, 3, 4}
    assert {row["when"] for row in drawn if row["layer"] == 2} == {1.0}


def comparison(arm, difference, interval, p):
    return {
        "arm": arm,
        "baseline": "none",
        "difference": difference,
        "ci95": interval,
        "p_holm": p,
    }


def test_the_ranking_is_in_order_and_claims_only_where_interval_and_test_agree():
    document = {
        "arms": [{"name": "cure", "test_accuracy": {"stuck": 1, "values": [0.5, 0.9]}}],
        "comparisons": [
            comparison("harm", -0.2, [-0.3, -0.1], 0.01),
            comparison("cure", 0.4, [0.3, 0.5], 0.01),
            comparison("chance", 0.1, [0.05, 0.15], 0.3),
            comparison("wide", 0.2, [-0.1, 0.5], 0.01),
            comparison("few", 0.3, None, None),
            comparison("lost", None, None, None),
        ],
    }
    found = ranking(document)
    drawn = {row["arm"]: row for row in rows(found.chart, "said")}
    assert list(drawn) == ["cure", "few", "wide", "chance", "harm"]
    claimed = {arm for arm, row in drawn.items() if row["sure"] == "interval and test agree"}
    assert claimed == {"cure", "harm"}
    assert drawn["cure"]["difference"] == pytest.approx(40)
    assert drawn["cure"]["said"] == "p = 0.01, 1 of 2 stuck"
    assert drawn["few"]["said"] == "no test"
    assert (
        found.title == "cure lies 40.0 points above none; 1 of 5 arms can be claimed to be better"
    )


def test_the_ranking_says_once_why_nothing_can_be_claimed():
    rows_ = [
        comparison(arm, 0.4, [0.3, 0.5], 0.14) | {"note": "8 seeds are too few"}
        for arm in ("a", "b")
    ]
    found = ranking({"comparisons": rows_})
    assert found.title.endswith("0 of 2 arms can be claimed to be better: see the note on seeds")
    assert found.how_to_read.count("Note: 8 seeds are too few.") == 1


def test_nothing_to_rank():
    assert ranking({}) is None
    assert ranking({"comparisons": [comparison("a", None, None, None)]}) is None


def test_loss_curves():
    drawn = rows(loss({"a": ARMS["a"]}), "set")
    training = [row for row in drawn if row["set"] == "training"]
    per_epoch = array("a", "loss").reshape(5, 3, 2).mean(2)  # the median of two is their mean
    assert [row["value"] for row in training] == pytest.approx(list(np.median(per_epoch, 0)))
    test = [row for row in drawn if row["set"] == "test"]
    assert [row["value"] for row in test] == pytest.approx(
        list(np.median(array("a", "test_loss")[:, 1::2], 0))
    )


def test_accuracy_curves_are_in_percent_and_show_the_larger_class():
    chart = accuracy({"a": ARMS["a"]})
    drawn = [row for row in rows(chart, "set") if row["set"] == "test"]
    assert [row["value"] for row in drawn] == pytest.approx(
        list(100 * np.median(array("a", "test_accuracy")[:, 1::2], 0))
    )
    assert [row["chance"] for row in rows(chart, "chance")] == [50.0]


def test_stuck_dots():
    def stick(accuracy):
        accuracy[:, -1] = [0.4, 0.5, 0.9, 0.9, 0.9]

    chart = stuck_dots({"a": trace(changes={"test_accuracy": stick})})
    drawn = rows(chart, "outcome")
    assert [row["outcome"] for row in drawn] == ["learned"] * 3 + ["stuck"] * 2
    assert rows(chart, "count") == [{"row": "a", "count": "2 of 5 stuck"}]


def test_the_accuracy_of_every_replicate_is_drawn():
    chart = accuracy_at_the_end({"a": ARMS["a"]})
    values = 100 * array("a", "test_accuracy")[:, -1]
    assert [row["value"] for row in rows(chart, "value")] == pytest.approx(list(values), abs=1e-3)
    means = rows(chart, "mean")
    assert means[0]["mean"] == pytest.approx(values.mean())
    assert means[0]["low"] < values.mean() < means[0]["high"]


def test_the_proxy_stands_beside_the_gradient():
    left, right = (
        sorted(part, key=lambda row: row["arm"])
        for part in weight_change(ARMS).to_dict()["datasets"].values()
    )
    for place, arm in enumerate("ab"):
        change = ARMS[arm].artefacts["first_layer_change"][0]
        assert left[place]["value"] == pytest.approx(np.median(change))
        gradient = array(arm, "grad_norm")[:, 0, 0]
        assert right[place]["value"] == pytest.approx(np.median(gradient))


def test_the_proxys_title_names_what_it_turns_round():
    def still(norms):
        norms[:, 0, 0] = 1e-8

    small = trace(changes={"grad_norm": still})
    small.artefacts["first_layer_change"][0] = 99.0  # pyright: ignore[reportIndexIssue]
    title = " ".join(weight_change({"deaf": small, "b": ARMS["b"]}).title.text)
    assert title.startswith("Weight change is no gradient: deaf moves more than b on ")


def test_data():
    drawn = rows(data(ARMS), "class")
    assert len(drawn) == 12
    assert sum(row["set"] == "test" for row in drawn) == 4
    assert {row["class"] for row in drawn} == {"class 0", "class 1"}


def test_a_surface_is_that_of_the_middle_replicate():
    made = ARMS["a"]
    ends = array("a", "test_accuracy")[:, -1]
    assert ends[middle_replicate(made)] == np.median(ends)
    drawn = rows(decision_surface({"a": made}), "probability")
    grid = made.artefacts["decision_grid"][middle_replicate(made)]
    assert drawn == runs(grid, made.artefacts["decision_extent"])


def test_stretches_cover_the_grid_with_the_right_shade():
    grid = np.random.default_rng(0).uniform(0, 1, (5, 7))
    grid[2, 3] = np.nan
    found = runs(grid, np.array([0.0, 7.0, 0.0, 5.0]))
    again = np.full(grid.shape, np.nan)
    for part in found:
        again[round(part["bottom"]), round(part["left"]) : round(part["right"])] = part[
            "probability"
        ]
    assert np.isnan(again[2, 3])
    assert np.nanmax(np.abs(again - grid)) <= 0.05 + 1e-9


def test_weights_before_and_after():
    made = ARMS["a"]
    drawn = rows(weights({"a": made}), "where")
    moments = made.artefacts["first_layer_weights"][:, middle_replicate(made)]
    assert [row["before"] for row in drawn] == pytest.approx(list(moments[0].ravel()), abs=1e-5)
    assert [row["after"] for row in drawn] == pytest.approx(list(moments[-1].ravel()), abs=1e-5)


def test_preactivations_are_shares():
    drawn = rows(preactivations({"a": ARMS["a"]}), "share")
    assert sum(row["share"] for row in drawn) == pytest.approx(1, abs=1e-4)
    assert min(row["start"] for row in drawn) == -1.0


def every_figure(arms):
    return {kind.name: kind.draw(arms) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_figure_has_its_words(kind):
    chart = kind.draw(ARMS)
    assert " ".join(chart.title.text)
    assert len(" ".join(chart.title.subtitle)) > 40
    assert len(chart.description) > 40
    units = r"\(.+\)$|^epoch$|^step$|^layer$|^arm$|^input \d$|^share of the largest$"
    for axis in axis_titles(chart.to_dict()):
        assert re.search(units, axis), axis


def axis_titles(specification):
    """Return the title of every position axis; an axis without one is an empty string."""
    found = []
    if isinstance(specification, dict):
        for channel, part in specification.get("encoding", {}).items():
            if channel in ("x", "y") and "field" in part:
                axis = part.get("axis") or {}
                found.append(axis.get("title", part.get("title")) or "")
        # In a layer one title serves all; the first that is given is drawn.
        if "layer" in specification:
            parts = [axis_titles(part) for part in specification["layer"]]
            return sorted({title for part in parts for title in part if title})
        for name in ("concat", "hconcat", "vconcat"):
            for part in specification.get(name, ()):
                found += axis_titles(part)
    return found


def test_a_missing_axis_title_would_be_found():
    assert axis_titles({"encoding": {"x": {"field": "a"}, "y": {"field": "b", "title": "t"}}}) == [
        "",
        "t",
    ]


@pytest.mark.parametrize("arms", [1, 4, 11])
def test_every_figure_is_json_without_nan(arms):
    for chart in every_figure(
        {f"arm {place}": trace(seed=place) for place in range(arms)}
    ).values():
        json.dumps(chart.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("value", "kind"), [(0.0, "zero"), (np.nan, "nan"), (np.inf, "inf"), (1e-300, "finite")]
)
def test_what_a_logarithm_cannot_hold_gets_a_mark(value, kind):
    def set_(norms):
        norms[:, :, 0] = value

    def count(nonfinite):
        nonfinite[:, :, 0] = 0 if np.isfinite(value) else 6

    broken = trace(changes={"grad_norm": set_, "delta_norm": set_, "nonfinite": count})
    charts = every_figure({"broken": broken, "b": ARMS["b"]})
    for chart in charts.values():
        json.dumps(chart.to_dict(), allow_nan=False)
    drawn = rows(charts["gradient-by-layer"], "moment", "kind")
    kinds = {row["kind"] for row in drawn if row["arm"] == "broken" and row["layer"] == 1}
    assert kinds == {kind}
    marks = {row["mark"] for row in rows(charts["gradient-over-time"], "mark")}
    assert marks == ({"zero": {"0"}, "nan": {"×"}, "inf": {"▲"}, "finite": set()}[kind])


def test_an_underflow_is_no_zero():
    def lose(norms):
        norms[:, :, :2] = 0

    event = Event("underflow", 1, "hidden_2", 0, "too small for float32")
    chart = gradients({"a": trace(changes={"grad_norm": lose}, events=[event])})
    kinds = {row["layer"]: row["kind"] for row in rows(chart, "moment")}
    assert kinds[1] == kinds[2] == "underflow"
    assert "too small for the data type" in " ".join(chart.title.subtitle)


def test_what_was_not_measured_is_told_from_nan():
    def drop(norms):
        norms[:, :, 1] = np.nan

    chart = gradients({"a": trace(changes={"grad_norm": drop})})
    assert {row["kind"] for row in rows(chart, "moment") if row["layer"] == 2} == {"not measured"}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_diverged(value):
    def diverge(losses):
        losses[:4, 2:] = value

    chart = loss({"a": trace(changes={"loss": diverge})})
    json.dumps(chart.to_dict(), allow_nan=False)
    assert "has become NaN or infinite" in " ".join(chart.title.subtitle)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (1, 3, 2), (5, 1, 1), (2, 1, 4)])
def test_few_replicates_and_steps(sizes):
    for chart in every_figure({"a": trace(*sizes)}).values():
        json.dumps(chart.to_dict(), allow_nan=False)


def test_names_are_data_and_never_expressions():
    made = trace(layer_name=HOSTILE)
    for chart in every_figure({HOSTILE: made, "b": ARMS["b"]}).values():
        specification = chart.to_dict()
        specification.pop("datasets", None)
        for text in expressions(specification):
            assert "alert" not in text


def expressions(value):
    """Return every string that Vega would evaluate."""
    if isinstance(value, dict):
        return [
            text
            for key, part in value.items()
            for text in (
                [part] if key in ("labelExpr", "expr", "test", "calculate") else expressions(part)
            )
        ]
    return [text for part in value for text in expressions(part)] if isinstance(value, list) else []


def test_an_activation_without_a_known_slope_keeps_its_histogram():
    chart = preactivations({"a": trace(activation="gelu")})
    assert rows(chart, "share")
    assert not rows(chart, "slope")
    assert chart.to_dict()["concat"][0]["title"]["subtitle"] == "gelu, slope not drawn"


def test_four_functions_are_told_apart_without_colour():
    panel = functions().to_dict()["concat"][0]
    dashes = panel["encoding"]["strokeDash"]["scale"]["range"]
    assert len({tuple(dash) for dash in dashes}) == 4
