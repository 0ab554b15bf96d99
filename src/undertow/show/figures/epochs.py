"""The mean absolute gradient of every layer, epoch by epoch: the published demonstration's plot."""

from __future__ import annotations

from typing import Any

import numpy as np

from undertow.numerals import counted, scientific
from undertow.show.axes import Decades, decades, log_axis, log_scale, time_axis
from undertow.show.figure import Kind, Traces
from undertow.show.theme import PANEL, alt, columns, finish_chart, inline
from undertow.statistics.bands import in_columns
from undertow.trace.readings import values
from undertow.trace.record import Trace


def epochs(traces: Traces) -> Any:
    """Draw the mean of |dE/dW| over a layer's entries against time, a line a layer, a panel an arm.

    What it shows and the heat map does not is how far apart the layers are.
    """
    rows = {arm: _rows(trace) for arm, trace in traces.items()}
    range_ = decades(row["value"] for part in rows.values() for row in part)
    panels = [_panel(arm, part, range_, traces[arm]) for arm, part in rows.items()]
    across = columns(len(panels))
    spread = {arm: _decades_apart(part) for arm, part in rows.items()}
    widest = max(spread, key=lambda arm: spread[arm])
    return finish_chart(
        alt.concat(*panels, columns=across).resolve_scale(color="shared"),
        f"Where last seen, the layers of {widest} lie up to {scientific(10 ** spread[widest])} "
        "times apart",
        "Each line is a layer, dark for those near the input, yellow near the output; its height "
        "is the mean absolute entry of dE/dW, the median of the replicates. Lines far apart: some "
        "layers get far less than others. Where a line ends, the gradient is 0 or no number; "
        "where one begins late, so did its layer.",
        f"Line charts, one for each of {counted(len(traces), 'arm')}: mean absolute entry of dE/dW "
        "on a logarithmic axis over time, a line a layer.",
        width=across * (PANEL + 60),
    )


EPOCHS = Kind("gradient-by-epoch", ("grad_mean_abs",), (), epochs)


def _rows(trace: Trace) -> list[dict[str, Any]]:
    _, times = time_axis(trace)
    layers = trace.dataset.sizes["layer"]
    found = in_columns(np.median(values(trace, "grad_mean_abs"), 0), times, decades=True)
    return [
        {
            "layer": place + 1,
            "share": place / max(layers - 1, 1),
            "name": str(name),
            "when": float(start),
            "value": float(found.values[column, place]),
        }
        for place, name in enumerate(trace.dataset["layer"].values)
        for column, start in enumerate(found.first)
        if 0 < found.values[column, place] < np.inf
    ]


def _decades_apart(rows: list[dict[str, Any]]) -> float:
    """Return how many decades lie between the layers at the last time that has any."""
    if not rows:
        return 0.0
    last = max(row["when"] for row in rows)
    logs = [np.log10(row["value"]) for row in rows if row["when"] == last]
    return float(max(logs) - min(logs))


def _panel(arm: str, rows: list[dict[str, Any]], range_: Decades, trace: Trace) -> Any:
    unit = time_axis(trace)[0]
    return (
        alt.Chart(inline(rows))
        .mark_line(strokeWidth=1.6)
        .encode(
            x=alt.X(
                "when:Q",
                title=unit,
                scale=alt.Scale(nice=False, zero=False),
                axis=alt.Axis(grid=False, tickCount=4, format="d"),
            ),
            y=alt.Y(
                "value:Q",
                scale=log_scale(range_),
                axis=log_axis("mean |dE/dW| (units of loss)", range_, 5),
            ),
            detail="layer:N",
            color=alt.Color(
                "share:Q",
                title="layer",
                scale=alt.Scale(scheme="cividis", domain=[0, 1]),
                legend=alt.Legend(
                    orient="top",
                    direction="horizontal",
                    gradientLength=200,
                    values=[0, 1],
                    labelExpr="datum.value ? 'output' : 'input'",
                ),
            ),
            tooltip=[
                alt.Tooltip("name:N", title="layer"),
                alt.Tooltip("when:Q", title=unit),
                alt.Tooltip("value:Q", title="mean |dE/dW|", format=".2e"),
            ],
        )
        .properties(width=PANEL, height=PANEL, title=alt.TitleParams(arm, fontSize=12, offset=4))
    )
