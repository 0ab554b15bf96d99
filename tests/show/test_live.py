"""The live view: what is drawn of the newest step, at any size of terminal."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from undertow.numerals import without_nan
from undertow.show.terminal import live, live_table
from undertow.trace.record import Chunk, Event, Header, Layer, Trace, build, provenance
from undertow.trace.store.reader import Run

RUN = Run("net-2", "net", "running", "2026-01-01T00:00:00", 1, 0, 0.0, "watched", {})
NAN = math.nan


def trace(
    steps: Sequence[int] = (1, 2, 3), layers: Sequence[str] = ("a", "b", "c"), **changes: Any
) -> Trace:
    """Build a watched run's last steps; a change replaces or, as None, removes a variable."""
    shape = (1, len(steps), len(layers))
    arrays: dict[str, Any] = {
        "grad_norm": np.full(shape, 1e-3),
        "delta_norm": np.full(shape, 1e-4),
        "weight_norm": np.full(shape, 2.0),
        "update_norm": np.full(shape, 2e-3),
        "saturated_fraction": np.full(shape, 0.25),
        "dead_fraction": np.full(shape, 0.5),
        "nonfinite": np.zeros(shape),
        "loss": np.linspace(2, 1, len(steps))[None],
        "learning_rate": np.full(shape[:2], 0.01),
        "overhead": np.full(len(steps), 0.5),
    }
    arrays |= {
        name: np.broadcast_to(np.asarray(change, float), arrays[name].shape)
        for name, change in changes.items()
        if change is not None
    }
    return build(
        Header(
            tuple(Layer(n, d, "linear", "relu", 2, 2) for d, n in enumerate(layers, 1)),
            (0,),
            provenance("watched"),
        ),
        [
            Chunk(
                np.asarray(steps),
                np.ones(len(steps), int),
                {n: a for n, a in arrays.items() if changes.get(n, 0) is not None},
            )
        ],
    )


def printed(
    document: Mapping[str, Any], losses: Sequence[float] = (), *, width: int = 100, **size: Any
) -> list[str]:
    """The lines that a terminal would get."""
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, color_system=None, markup=False)
    console.print(live.view(document, losses, width=width, **size))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def drawn(*events: Event, **changes: Any) -> str:
    return "\n".join(printed(live.document(RUN, trace(**changes), events)))


def test_the_document_is_the_newest_step():
    event = Event("clipped", 2, None, 0, "factor 0.5")
    found = live.document(RUN, trace(steps=(1, 2, 40)), [event])
    layers = found.pop("layers")
    assert found == {
        "run": "net-2",
        "name": "net",
        "source": "watched",
        "state": "running",
        "replicate": 1,
        "replicates": 1,
        "step": 40,
        "steps": None,
        "sampling_interval": 38,
        "loss": 1.0,
        "learning_rate": 0.01,
        "overhead": 0.5 / 38,
        "layers_step": 40,
        "events": [event._asdict()],
    }
    assert [layer["name"] for layer in layers] == ["a", "b", "c"]
    assert layers[0] == {
        "name": "a",
        "kind": "linear",
        "depth": 1,
        "grad_norm": 1e-3,
        "delta_norm": 1e-4,
        "weight_norm": 2.0,
        "update_norm": 2e-3,
        "saturated_fraction": 0.25,
        "dead_fraction": 0.5,
        "nonfinite": 0.0,
    }
    json.dumps(without_nan(found), allow_nan=False)


def test_a_step_at_which_no_layer_was_measured_shows_the_one_before():
    only_loss = [[[1.0], [2.0], [NAN]]]
    changes = dict.fromkeys(("delta_norm", "weight_norm", "update_norm", "nonfinite"))
    changes |= dict.fromkeys(("saturated_fraction", "dead_fraction"))
    found = live.document(RUN, trace(grad_norm=only_loss, **changes), ())
    assert (found["step"], found["layers_step"]) == (3, 2)
    assert found["layers"][0]["grad_norm"] == 2.0
    assert "layers as of step 2" in "\n".join(printed(found))


def test_of_several_replicates_the_first_with_numbers_is_shown():
    norms = np.full((3, 1, 1), NAN)
    norms[1] = 0.5
    several = build(
        Header((Layer("a", 1, "linear", "relu", 2, 2),), (0, 1, 2), provenance("trained")),
        [Chunk(np.array([1]), np.array([1]), {"grad_norm": norms})],
    )
    found = live.document(RUN._replace(replicates=3, source="trained"), several, ())
    assert found["layers"][0]["grad_norm"] == 0.5
    assert printed(found)[0] == "net-2   running   replicate 2 of 3   step 1"


def test_the_heading():
    lines = printed(live.document(RUN, trace(steps=(1, 2, 4242)), ()), [4.0, 3.0, NAN, 1.0])
    assert lines[0] == ("net-2   running   step 4,242   recording 1 step in 4,240   overhead <0.1%")
    assert lines[1] == "loss 1   █▅·▁ 1 to 4   learning rate 0.01"


def test_what_a_recorded_step_costs_is_shared_by_those_before_it():
    assert "recording every step   overhead 50.0%" in drawn()
    assert "recording 1 step in 40   overhead 1.2%" in drawn(steps=(1, 2, 42))


def test_a_run_that_has_ended_says_how_far_it_came_and_what_watching_cost():
    whole = trace()
    whole.dataset.attrs.update(steps=99, overhead=0.018)
    found = live.document(RUN._replace(state="finished"), whole, ())
    assert printed(found)[0] == (
        "net-2   finished   step 3 of 99   recording every step   overhead 1.8%"
    )


def test_a_row_of_the_table():
    row = next(line for line in drawn().splitlines() if line.startswith("a "))
    assert row.split() == ["a", "linear", "-3.00", "█", "-4.00", "-3.00", "25%", "50%", "0"]


def test_alike_gradients_have_bars_alike():
    text = drawn(grad_norm=[[[1.0, 1.1, 0.9]]])
    rows = [line.split() for line in text.splitlines() if line[:2] in ("a ", "b ", "c ")]
    assert max(len(row[3]) for row in rows) <= 4
    assert "bars: -0.05 to +0.95" in text


def test_longer_bars_are_larger_gradients():
    rows = [line.split() for line in drawn(grad_norm=[[[1e-6, 1e-4, 1.0]]]).splitlines()]
    lengths = [len(row[3]) for row in rows if row and row[0] in ("a", "b", "c")]
    assert lengths == [1, 9, 24]


@pytest.mark.parametrize(
    ("variables", "heading"),
    [
        (["grad_norm"], "|dE/dW|"),
        (["delta_norm"], "|dE/dz|"),
        (["update_norm"], "|ΔW|/|W|"),
        (["weight_norm"], "|ΔW|/|W|"),
        (["saturated_fraction"], "rated"),
        (["dead_fraction"], "dead"),
        (["nonfinite"], "NaN"),
        (["overhead"], "overhead"),
        (["learning_rate"], "learning rate"),
        (["loss"], "loss"),
    ],
)
def test_what_a_run_does_not_have_is_left_out(variables: list[str], heading: str):
    assert heading in drawn()
    assert heading not in drawn(**dict.fromkeys(variables))
    assert heading not in drawn(**dict.fromkeys(variables, NAN))


def test_what_is_no_number_says_what_it_is():
    text = drawn(
        grad_norm=[[[0.0, math.inf, NAN]]],
        delta_norm=[[[NAN, 1.0, 1.0]]],
        nonfinite=[[[0, 4, 12345]]],
    )
    a, b, c = (line.split() for line in text.splitlines() if line[:2] in ("a ", "b ", "c "))
    assert (a[2], a[3], a[-1]) == ("0", "·", "0")
    assert (b[2], b[-1]) == ("Inf", "4")
    assert (c[2], c[-1]) == ("NaN", "12k")


def test_where_all_is_nan_the_columns_stay_and_say_so():
    broken: dict[str, Any] = {"grad_norm": NAN, "delta_norm": NAN, "loss": NAN, "nonfinite": 9}
    lines = drawn(**broken).splitlines()
    assert lines[1].startswith("loss NaN")
    assert [line.split()[2:4] for line in lines if "linear" in line] == [["NaN", "NaN"]] * 3


def test_a_loss_that_became_nan_is_told_from_one_that_was_not_logged():
    losses = [[2.0, 1.0, NAN]]
    assert "loss ·" in drawn(loss=losses)
    assert "loss NaN" in drawn(loss=losses, nonfinite=[[[0, 0, 1]]])


def test_an_update_of_weights_that_are_zero_has_no_ratio():
    assert [
        line.split()[5] for line in drawn(weight_norm=0.0).splitlines() if "linear" in line
    ] == ["·"] * 3


HOSTILE = ["[bold]x[/]", "a\x1b[2J\x1b]0;owned\x07b", "\u202eright", "two\nlines", ":smile:", ""]


def test_names_are_text_and_cannot_move_the_cursor():
    event = Event("nonfinite", 1, HOSTILE[1], 0, "[red]why\x1b[1A")
    document = live.document(RUN._replace(id="[dim]\x9b2J"), trace(layers=HOSTILE), [event])
    lines = printed(document, width=120)
    text = "\n".join(lines)
    assert all(each.isprintable() for each in text.replace("\n", ""))
    for shown in ("[bold]x[/]", r"a\x1b[2J\x1b]0;owned\x07b", r"\u202eright", r"two\nlines"):
        assert any(line.startswith(shown + " ") for line in lines)
    assert lines[0].startswith(r"[dim]\x9b2J   running")
    assert r"[red]why\x1b[1A" in lines[-1]
    assert ":smile:" in text


def test_long_networks_keep_the_first_the_last_and_the_extreme():
    norms = np.full(200, 1e-3)
    norms[77], norms[133], broken = 1e-9, 1e3, np.zeros(200)
    norms[50], broken[50] = NAN, 7
    document = live.document(
        RUN,
        trace(
            layers=[f"layers.{place}" for place in range(200)],
            grad_norm=norms,
            nonfinite=broken,
        ),
        (),
    )
    lines = printed(document, height=30)
    names = [line.split()[0] for line in lines if line.startswith("layers.")]
    for place in (0, 50, 77, 133, 199):
        assert f"layers.{place}" in names
    assert len(lines) <= 30
    skipped = sum(int(line.split()[1]) for line in lines if line.startswith("⋮"))
    assert skipped + len(names) == 200
    assert any(f"{skipped} of 200 layers left out" in line for line in lines)
    assert not any("left out" in line for line in printed(document, height=400))


@given(st.lists(st.sampled_from([NAN, 1.0, 2.0, 3.0]), min_size=1, max_size=60), st.integers(3, 60))
def test_condensing_keeps_to_its_rows(norms: list[float], rows: int):
    places = live_table.choose_layers([{"grad_norm": norm} for norm in norms], rows)
    gaps = [after - before - 1 for before, after in pairwise([-1, *places, len(norms)])]
    assert len(places) + sum(gap > 0 for gap in gaps) <= rows
    assert 1 not in gaps  # a row that says "1 more" could be that one
    assert {0, len(norms) - 1} <= set(places)


@pytest.mark.parametrize("width", [40, 60, 72, 80, 100, 160])
def test_no_line_is_wider_than_the_terminal(width: int):
    layers = [f"encoder.layers.{place}.self_attn.out_proj" for place in range(9)] + ["层" * 30]
    document = live.document(
        RUN, trace(layers=layers), [Event("nonfinite", 3, layers[0], 0, "NaN " * 50)]
    )
    lines = printed(document, [1.0, 2.0] * 15, width=width)
    assert max(cell_len(line) for line in lines) <= width
    rows = [line.split()[0] for line in lines if line.startswith("e") and ".out_proj" in line]
    assert len(set(rows)) == 9  # shortened, but still told apart
    assert ("no room for kind" in "\n".join(lines)) == (width < 72)


def test_the_table_fits_the_height():
    document = live.document(
        RUN, trace(layers=[str(place) for place in range(99)]), [Event("skipped", 1)]
    )
    for height in range(14, 60):
        for width in (60, 100):
            assert len(printed(document, [2.0, 1.0], width=width, height=height)) <= height


def test_the_last_five_events_alike_ones_in_one_line():
    events = [Event("skipped", step, f"layer {step}") for step in range(1, 7)]
    events += [Event("clipped", step, detail=f"factor 0.{step}") for step in range(7, 10)]
    lines = printed(live.document(RUN, trace(), events))[-6:]
    assert lines == [
        "",
        *(f"step {step}  skipped  layer {step}" for step in range(3, 7)),
        "steps 7 to 9  clipped, 3 times  factor 0.9",
    ]


def test_a_long_event_is_told_whole_but_does_not_push_the_table_away():
    events = [Event("nonfinite", step, "a", 0, "on the way back, " * 9) for step in (1, 2)]
    events[1] = events[1]._replace(kind="overflow")
    document = live.document(RUN, trace(), events)
    lines = printed(document, width=60)
    assert sum("on the way back" in line for line in lines) == 6
    assert "step 1" in "\n".join(lines)
    lines = printed(document, width=60, height=20)
    assert sum("on the way back" in line for line in lines) == 3
    assert "step 1  " not in "\n".join(lines)


def test_nothing_recorded_yet():
    empty = build(Header((Layer("a", 1, "linear", "relu", 2, 2),), (0,), provenance("watched")), [])
    found = live.document(RUN, empty, ())
    assert (found["step"], found["layers_step"]) == (None, None)
    assert printed(found) == ["net-2   running   no step recorded yet"]
