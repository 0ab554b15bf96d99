"""What the network of the middle replicate answers over the plane of its inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from undertow.numerals import counted
from undertow.show.figure import Kind, Traces
from undertow.show.figures.data import NEEDS, samples, shape
from undertow.show.theme import INK, PANEL, alt, columns, finish_chart, inline
from undertow.statistics.bands import middle
from undertow.trace.readings import values
from undertow.trace.record import Trace

STEPS = 10  # shades, each a tenth of probability
_SAMPLES = 150


def decision_surface(traces: Traces) -> Any:
    """Draw the probability of class 1 over the plane, of each arm's middle replicate."""
    panels, said = [], {}
    for arm, trace in traces.items():
        chosen = middle_replicate(trace)
        grid = trace.artefacts["decision_grid"][chosen]
        said[arm] = bool(np.ptp(np.nan_to_num(grid)) < 0.1)
        panels.append(_panel(arm, trace, chosen))
    across = columns(len(panels))
    flat = [arm for arm, level in said.items() if level]
    message = (
        f"The answer is the same everywhere in {', '.join(flat)}"
        if 0 < len(flat) <= 3
        else f"In {len(flat)} of {counted(len(said), 'arm')} the answer is the same everywhere"
        if flat
        else "Every arm draws a line between the classes"
    )
    return finish_chart(
        alt.concat(*panels, columns=across).resolve_scale(fill="shared", shape="shared"),
        message,
        "Background: the probability of class 1 that the trained network gives, of the replicate "
        "whose test accuracy is the median. Marks: samples of the data. One shade all over is a "
        "network that ignores its input; a good one turns orange under the triangles and blue "
        "under the circles.",
        f"Shaded maps, one for each of {counted(len(said), 'arm')}: the probability of class 1 "
        f"over the plane of the two inputs, with samples of the data. {message}.",
        width=across * (PANEL + 60),
    )


DECISION_SURFACE = Kind(
    "decision-surface",
    ("test_accuracy",),
    ("decision_grid", "decision_extent", *NEEDS),
    decision_surface,
)


def middle_replicate(trace: Trace) -> int:
    """Place of the replicate whose final test accuracy is the median."""
    return middle(values(trace, "test_accuracy")[:, -1])


def runs(grid: np.ndarray, extent: np.ndarray) -> list[dict[str, float]]:
    """Cut a grid [y, x] of probabilities into stretches of one shade, row by row.

    A surface is smooth: 60 rows of 60 cells become some hundred stretches. NaN is left blank.

    >>> runs(np.array([[0.02, 0.07, 0.51]]), np.array([0.0, 3.0, 0.0, 1.0]))[0]["right"]
    2.0
    """
    left, right, bottom, top = (float(value) for value in extent)
    rows, across = grid.shape
    wide, high = (right - left) / across, (top - bottom) / rows
    found = []
    for y in range(rows):
        shades = np.floor(np.clip(grid[y], 0, 1 - 1e-9) * STEPS)
        ends = np.flatnonzero(np.append(shades[1:] != shades[:-1], True)).tolist()
        start = 0
        for end in ends:
            if np.isfinite(shades[end]):
                found.append(
                    {
                        "left": round(left + start * wide, 4),
                        "right": round(left + (end + 1) * wide, 4),
                        "bottom": round(bottom + y * high, 4),
                        "top": round(bottom + (y + 1) * high, 4),
                        "probability": round((float(shades[end]) + 0.5) / STEPS, 3),
                    }
                )
            start = end + 1
    return found


def _panel(arm: str, trace: Trace, chosen: int) -> Any:
    extent = trace.artefacts["decision_extent"]
    shades = alt.Scale(
        type="quantize", domain=[0, 1], scheme=alt.SchemeParams(name="blueorange", count=STEPS)
    )
    fill = alt.Fill(
        "probability:Q",
        title="probability of class 1",
        scale=shades,
        legend=alt.Legend(
            type="gradient", orient="top", direction="horizontal", gradientLength=220
        ),
    )
    x = alt.X(
        "left:Q",
        title="input 1",
        scale=alt.Scale(domain=[float(extent[0]), float(extent[1])], nice=False),
        axis=alt.Axis(grid=False, tickCount=4),
    )
    y = alt.Y(
        "bottom:Q",
        title="input 2",
        scale=alt.Scale(domain=[float(extent[2]), float(extent[3])], nice=False),
        axis=alt.Axis(grid=False, tickCount=4),
    )
    stretches = runs(trace.artefacts["decision_grid"][chosen], extent)
    background = (
        alt.Chart(inline(stretches))
        .mark_rect(strokeWidth=0.7)  # in the shade's own colour: without it hairlines show
        .encode(
            stroke=alt.Stroke("probability:Q", scale=shades, legend=None),
            x=x,
            x2="right:Q",
            y=y,
            y2="top:Q",
            fill=fill,
            tooltip=[alt.Tooltip("probability:Q", title="probability of class 1")],
        )
    )
    points = samples(trace, _SAMPLES)
    domain = sorted({row["class"] for row in points})
    marks = (
        alt.Chart(inline(points))
        .mark_point(size=14, color=INK, strokeWidth=1, opacity=0.9)
        .encode(
            x=alt.X("x:Q", title="input 1"),
            y=alt.Y("y:Q", title="input 2"),
            shape=shape(domain, alt.Legend(orient="top", direction="horizontal")),
        )
    )
    return alt.layer(background, marks).properties(
        width=PANEL,
        height=PANEL * 0.9,
        title=alt.TitleParams(
            arm,
            subtitle=f"seed {int(trace.dataset['seed'].values[chosen])}",
            fontSize=12,
            offset=4,
        ),
    )
