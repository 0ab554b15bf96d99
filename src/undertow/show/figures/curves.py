"""Loss and accuracy over the training, with the band of the replicates."""

from __future__ import annotations

from typing import Any

import numpy as np

from undertow.numerals import counted, scientific
from undertow.show.axes import Decades, decades, log_axis, log_scale, time_axis
from undertow.show.figure import Kind, Traces
from undertow.show.theme import BAND, MEASURED, PANEL, REMEDY, alt, columns, finish_chart, inline
from undertow.statistics.bands import band, in_columns
from undertow.trace.readings import values
from undertow.trace.record import Trace

SETS = {"loss": "training", "test_loss": "test", "accuracy": "training", "test_accuracy": "test"}
READ = (
    "Each line is the median of the replicates, the band holds the middle 90 %. A wide band means "
    "that the seed decides."
)


def loss(traces: Traces) -> Any:
    """Draw training and test loss over time on a logarithmic axis, a panel an arm."""
    rows = {arm: _rows(trace, ("loss", "test_loss"), 1.0) for arm, trace in traces.items()}
    everything = [row for part in rows.values() for row in part]
    range_ = decades(row[name] for row in everything for name in ("low", "value", "high"))
    for row in everything:
        row["low drawn"], row["high drawn"] = range_.drawn(row["low"]), range_.drawn(row["high"])
        row["value drawn"] = range_.drawn(row["value"])
    ends = {arm: _end(part, "training") for arm, part in rows.items()}
    return _finish(
        traces,
        rows,
        alt.Y(
            "value drawn:Q",
            scale=log_scale(range_),
            axis=log_axis("loss (nats)", range_, 5),
        ),
        _message("the training loss ends at", ends, scientific, best=min),
        f"{READ} A level line at the height where it began is a network that learns nothing."
        + (
            " A line along the upper edge has become NaN or infinite; along the lower edge, 0."
            if any(not 0 < row["value"] < np.inf for row in everything)
            else ""
        ),
        "loss (nats)",
        range_,
    )


def accuracy(traces: Traces) -> Any:
    """Draw training and test accuracy over time, a panel an arm."""
    rows = {
        arm: _rows(trace, ("accuracy", "test_accuracy"), 100.0) for arm, trace in traces.items()
    }
    for row in (row for part in rows.values() for row in part):
        for name in ("low", "value", "high"):
            row[f"{name} drawn"] = row[name]
    ends = {arm: _end(part, "test") for arm, part in rows.items()}
    return _finish(
        traces,
        rows,
        alt.Y(
            "value drawn:Q",
            title="accuracy (%)",
            scale=alt.Scale(domain=[0, 100]),
            axis=alt.Axis(tickCount=5),
        ),
        _message("the test accuracy ends at", ends, lambda value: f"{value:.0f} %", best=max),
        f"{READ} The grey rule is what naming the larger test class for all would reach: a network "
        "that stays on it has learnt nothing.",
        "accuracy (%)",
        None,
        {
            arm: 100 * trace.attributes["larger_test_share"]
            for arm, trace in traces.items()
            if "larger_test_share" in trace.attributes
        },
    )


LOSS = Kind("loss", ("loss",), (), loss)
ACCURACY = Kind("accuracy-over-time", ("test_accuracy",), (), accuracy)


def _rows(trace: Trace, names: tuple[str, ...], unit: float) -> list[dict[str, Any]]:
    _, times = time_axis(trace)
    rows = []
    for name in names:
        if name not in trace.dataset:
            continue
        each = values(trace, name).T * unit  # [steps, R]
        measured = np.asarray(~np.isnan(each).all(1))
        if not measured.any():
            continue
        # A loss that is NaN for all was measured; a test loss is measured once an epoch.
        if name == "loss":
            measured[np.argmax(measured) :] = True
        gathered = in_columns(each[measured], times[measured])
        low, middle, high = band(gathered.values, axis=1)
        rows += [
            {
                "set": SETS[name],
                "time": float((gathered.first[place] + gathered.last[place]) / 2),
                "low": float(low[place]),
                "value": float(middle[place]),
                "high": float(high[place]),
            }
            for place in range(len(middle))
        ]
    return rows


def _end(rows: list[dict[str, Any]], which: str) -> float:
    return next((row["value"] for row in reversed(rows) if row["set"] == which), np.nan)


def _message(what: str, ends: dict[str, float], write: Any, best: Any) -> str:
    ends = {arm: value for arm, value in ends.items() if np.isfinite(value)}
    if not ends:
        return f"{what.removeprefix('the ').removesuffix(' ends at').capitalize()} over time"
    first = best(ends, key=lambda arm: ends[arm])
    last = (min if best is max else max)(ends, key=lambda arm: ends[arm])
    said = f"With {first} {what} {write(ends[first])}"
    return said + (f", with {last} at {write(ends[last])}" if last != first else "")


def _finish(
    traces: Traces,
    rows: dict[str, list[dict[str, Any]]],
    y: Any,
    message: str,
    how_to_read: str,
    title: str,
    range_: Decades | None,
    chance: dict[str, float] | None = None,
) -> Any:
    for row in (row for part in rows.values() for row in part):
        for name in ("low", "value", "high"):
            row[name] = row[name] if np.isfinite(row[name]) else None
    panels = [
        _panel(arm, rows[arm], title, y, time_axis(trace)[0], range_, (chance or {}).get(arm))
        for arm, trace in traces.items()
    ]
    across = columns(len(panels))
    return finish_chart(
        alt.concat(*panels, columns=across),
        message,
        how_to_read,
        f"Line charts, one for each of {counted(len(traces), 'arm')}: {title} against time, "
        f"training and test set. {message}.",
        width=across * (PANEL + 60),
    )


def _panel(
    arm: str,
    rows: list[dict[str, Any]],
    title: str,
    y: Any,
    unit: str,
    range_: Decades | None,
    chance: float | None,
) -> Any:
    base = alt.Chart(inline(rows))
    when = alt.X("time:Q", title=unit, axis=alt.Axis(grid=False, tickCount=3, tickMinStep=1))
    present = [name for name in ("training", "test") if any(row["set"] == name for row in rows)]
    legend = alt.Legend(orient="top", direction="horizontal", symbolOpacity=1)
    colour = alt.Color(
        "set:N",
        title=None,
        scale=alt.Scale(domain=["training", "test"], range=[MEASURED, REMEDY]),
        legend=legend,
    )
    dash = alt.StrokeDash(
        "set:N",
        title=None,
        scale=alt.Scale(domain=["training", "test"], range=[[1, 0], [5, 3]]),
        legend=legend,
    )
    tooltip = [
        alt.Tooltip("time:Q", title=unit),
        alt.Tooltip("set:N", title="set"),
        alt.Tooltip("value:Q", title="median", format=".3~g"),
        alt.Tooltip("low:Q", title="5 %", format=".3~g"),
        alt.Tooltip("high:Q", title="95 %", format=".3~g"),
    ]
    layers = [
        base.mark_area(opacity=0.2).encode(
            x=when, y=alt.Y("low drawn:Q", title=title), y2="high drawn:Q", color=colour
        ),
        base.mark_line(strokeWidth=2).encode(x=when, y=y, color=colour, strokeDash=dash),
    ]
    if present and max(sum(row["set"] == name for row in rows) for name in present) == 1:
        layers.append(base.mark_point(filled=True, opacity=1).encode(x=when, y=y, color=colour))
    else:
        layers.append(base.mark_point(opacity=0, size=60).encode(x=when, y=y, tooltip=tooltip))
    if chance is not None:
        rule = alt.Chart(inline([{"chance": chance}]))
        layers.insert(0, rule.mark_rule(color=BAND, strokeWidth=2).encode(y="chance:Q"))
    return alt.layer(*layers).properties(
        width=PANEL, height=PANEL, title=alt.TitleParams(arm, fontSize=12, offset=4)
    )
