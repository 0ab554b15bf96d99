"""The lane of the whole gradient: its numbers, its spikes, and what is no number."""

from __future__ import annotations

import numpy as np
import pytest

from tests.show.hand_made_traces import rows, trace
from undertow.show.figures.spikes import MOST, incidents, spikes_figure
from undertow.trace.record import Event, Trace

STEPS = 60


def spiked(height: float = 100.0, place: int = 40, layer: int = 1) -> Trace:
    def change(norms: np.ndarray) -> None:
        norms[:] = 1.0
        norms[:, place, layer] *= height

    return trace(epochs=STEPS, steps=1, changes={"grad_norm": change})


def test_the_line_is_the_norm_of_all_layers_together():
    made = trace(epochs=STEPS, steps=1)
    whole = np.median(np.sqrt((made.dataset["grad_norm"].values ** 2).sum(-1)), 0)
    drawn = rows(spikes_figure({"a": made}), "high")
    assert [row["step"] for row in drawn] == list(range(1, STEPS + 1))
    np.testing.assert_allclose([row["high"] for row in drawn], whole, rtol=1e-6)


def test_a_spike_has_its_step_its_layer_and_its_size():
    (found,) = incidents(spiked())
    layers = spiked().dataset["layer"].values
    assert (found.what, found.step, found.layer) == ("spike", 41, str(layers[1]))
    usual = np.sqrt(len(layers))
    assert found.dex == pytest.approx(np.log10(np.sqrt(100**2 + len(layers) - 1) / usual))
    assert found.detail == "most at this layer: +2.0 dex"
    title = " ".join(spikes_figure({"a": spiked()}).title.text)
    assert title.startswith("1 spike at step 41, 50 times the usual")


def test_of_a_long_run_the_spike_is_still_drawn():
    def change(norms):
        norms[:] = 1.0
        norms[:, 4_321] = 1e3

    long = trace(epochs=10_000, steps=1, changes={"grad_norm": change})
    drawn = rows(spikes_figure({"a": long}), "high")
    assert len(drawn) == 300
    assert max(row["high"] for row in drawn) == pytest.approx(1e3 * 2)  # of four layers alike


def test_events_stand_among_the_spikes_in_the_order_of_their_steps():
    made = spiked()
    events = (Event("clipped", 3, None, 0, "factor 0.25"), Event("skipped", 50, None, 0, ""))
    found = incidents(Trace(made.dataset, events, made.artefacts))
    assert [(each.what, each.step) for each in found] == [
        ("clipped", 3),
        ("spike", 41),
        ("skipped", 50),
    ]
    assert found[0].dex == pytest.approx(0.0)


def test_no_more_marks_than_a_lane_can_show_and_spikes_before_events():
    made = spiked()
    events = tuple(Event("clipped", step, None, 0, "") for step in range(1, STEPS + 1)) * 3
    marks = rows(spikes_figure({"a": Trace(made.dataset, events, made.artefacts)}), "what")
    assert len(marks) == MOST
    assert marks[0]["what"] == "spike"


def test_a_gradient_that_is_no_number_is_said_and_leaves_a_gap():
    def broken(norms):
        norms[:, 50:] = np.nan

    def counted(counts):
        counts[:, 50:] = 3.0

    made = trace(epochs=STEPS, steps=1, changes={"grad_norm": broken, "nonfinite": counted})
    drawn = spikes_figure({"a": made})
    assert max(row["step"] for row in rows(drawn, "high")) == 50
    assert " ".join(drawn.title.text) == "No finite gradient at 10 of 60 recorded steps"


def test_a_layer_that_was_not_there_counts_as_nothing():
    def absent(norms):
        norms[:] = 2.0
        norms[:, :30, 0] = np.nan

    made = trace(epochs=STEPS, steps=1, changes={"grad_norm": absent})
    heights = [row["high"] for row in rows(spikes_figure({"a": made}), "high")]
    assert heights[0] == pytest.approx(np.sqrt(12))
    assert heights[-1] == pytest.approx(4.0)
