"""The weights of layer 1 before and after training."""

from __future__ import annotations

from typing import Any

import numpy as np

from undertow.numerals import counted, scientific
from undertow.show.figure import Kind, Traces
from undertow.show.figures.decision_surface import middle_replicate
from undertow.show.theme import BAND, MEASURED, PANEL, alt, columns, finish_chart, inline
from undertow.statistics.bands import band, median
from undertow.trace.record import Trace

_MOST = 400


def weights(traces: Traces) -> Any:
    """Draw each weight of layer 1 after training against before, a panel an arm."""
    pairs = {arm: before_and_after(trace) for arm, trace in traces.items()}
    drawn = {arm: _evenly(start, end) for arm, (start, end) in pairs.items()}
    finite = [part[np.isfinite(part)] for pair in drawn.values() for part in pair]
    everything = np.abs(np.concatenate(finite))
    # A few that ran away would press all others into a point.
    largest = 1.3 * max(float(band(everything).high), 0.1) if everything.size else 1.0
    moved = {arm: median(np.abs(end - start)) for arm, (start, end) in pairs.items()}
    panels = [_panel(arm, *pair, traces[arm], largest) for arm, pair in drawn.items()]
    across = columns(len(panels))
    return finish_chart(
        alt.concat(*panels, columns=across),
        _message(moved),
        "Each dot is one weight of layer 1, of the replicate whose test accuracy is the median: "
        "its value before training to the right, after training upwards. On the diagonal it has "
        "not moved; an open triangle lies beyond the axes. Under Adam dots leave the diagonal "
        "even where hardly any gradient arrives.",
        f"Scatter charts, one for each of {counted(len(traces), 'arm')}: the weights of layer 1 "
        f"after training against before. {_message(moved)}.",
        width=across * (PANEL + 60),
    )


WEIGHTS = Kind("first-weights", ("test_accuracy",), ("first_layer_weights",), weights)


def before_and_after(trace: Trace) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of layer 1 of the middle replicate, at the start and at the end."""
    moments = trace.artefacts["first_layer_weights"][:, middle_replicate(trace)].astype(float)
    return moments[0].ravel(), moments[-1].ravel()


def _message(moved: dict[str, float]) -> str:
    moved = {arm: distance for arm, distance in moved.items() if np.isfinite(distance)}
    if not moved:
        return "The weights of layer 1, before and after"
    least, most = min(moved, key=lambda arm: moved[arm]), max(moved, key=lambda arm: moved[arm])
    distance = f"move by {scientific(moved[least])}" if moved[least] else "do not move"
    first = f"The first weights of {least} {distance}"
    return first + (f", those of {most} move by {scientific(moved[most])}" if most != least else "")


def _evenly(start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    chosen = np.unique(np.linspace(0, len(start) - 1, min(_MOST, len(start))).astype(int))
    return start[chosen], end[chosen]


def _panel(arm: str, start: np.ndarray, end: np.ndarray, trace: Trace, largest: float) -> Any:
    rows = [
        {
            "before": round(float(before), 5),
            "after": round(float(after), 5),
            "where": "inside" if max(abs(before), abs(after)) <= largest else "beyond",
        }
        for before, after in zip(start, end, strict=True)
        if np.isfinite(before) and np.isfinite(after)
    ]
    lost = len(start) - len(rows)
    scale = alt.Scale(domain=[-largest, largest], nice=False, clamp=True)
    places = ["inside", "beyond"]
    x = alt.X("before:Q", title="before (no unit)", scale=scale, axis=alt.Axis(tickCount=4))
    y = alt.Y("after:Q", title="after (no unit)", scale=scale, axis=alt.Axis(tickCount=4))
    ends = [{"before": edge, "after": edge} for edge in (-largest, largest)]
    diagonal = alt.Chart(inline(ends)).mark_line(color=BAND, strokeWidth=1.5).encode(x=x, y=y)
    dots = (
        alt.Chart(inline(rows))
        .mark_point(color=MEASURED, size=28, opacity=0.8)
        .encode(
            x=x,
            y=y,
            shape=alt.Shape(
                "where:N",
                legend=None,
                scale=alt.Scale(domain=places, range=["circle", "triangle-up"]),
            ),
            fill=alt.Fill(
                "where:N",
                legend=None,
                scale=alt.Scale(domain=places, range=[MEASURED, "transparent"]),
            ),
            tooltip=["before:Q", "after:Q"],
        )
    )
    seed = int(trace.dataset["seed"].values[middle_replicate(trace)])
    return alt.layer(diagonal, dots).properties(
        width=PANEL,
        height=PANEL,
        title=alt.TitleParams(
            arm,
            subtitle=f"seed {seed}" + (f", {lost} not finite" if lost else ""),
            fontSize=12,
            offset=4,
        ),
    )
