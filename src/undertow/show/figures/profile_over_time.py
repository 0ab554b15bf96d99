"""The gradient on its way down through the layers: now, and over time, on one layer axis.

Left a profile, which is the right-most column of the heat map beside it. A row an arm; all rows
share their axes and colours.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from undertow.numerals import counted
from undertow.show import layer_profile
from undertow.show.axes import Decades, power_labels, time_axis
from undertow.show.figure import Figure, Traces, figure
from undertow.show.figures.heatmap import RANGE
from undertow.show.layer_profile import RELATIVE, Rows, View
from undertow.show.special_values import legend
from undertow.show.theme import (
    BAND,
    INK,
    MEASURED,
    QUIET,
    REMEDY,
    THEORY,
    alt,
    finish_chart,
    inline,
)
from undertow.trace.record import Trace

AROUND = Decades(-6, 6)  # dex of the relative heat map, in every figure
HEIGHT, TWO_HEIGHT = 280, 190
PROFILE, HEAT = 225, 225
COLOURS = (MEASURED, REMEDY)  # of the first arm, and of what was changed


def profile_over_time(traces: Traces, view: View = RELATIVE) -> Figure:
    """Draw every arm's profile and heat map.

    >>> import undertow as ut
    >>> traces = {}
    >>> for phi in ("sigmoid", "relu"):
    ...     net = ut.NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation=phi)
    ...     traces[phi] = ut.predict(net, np.eye(2))
    >>> for sentence in profile_over_time(traces).title.split("; "):
    ...     print(sentence)
    At step 1: sigmoid, layer 1 gets 1/430,000 of the delta of layer 10
    relu, layer 1 gets 1/23 of the delta of layer 10

    A prediction that the run carries is drawn behind: a band of two standard deviations around the
    median where theory knows them, else a line of root mean squares.
    """
    drawn = {
        arm: _Arm(*layer_profile.profile(trace, view), *layer_profile.cells(trace, view))
        for arm, trace in traces.items()
    }
    theory = {arm: layer_profile.theory(trace, view) for arm, trace in traces.items()}
    domain = _domain(drawn.values(), theory.values())
    deepest = max(trace.dataset.sizes["layer"] for trace in traces.values())
    height = HEIGHT if len(traces) == 1 else TWO_HEIGHT
    rows = []
    for place, (arm, trace) in enumerate(traces.items()):
        colour = COLOURS[min(place, 1)]
        hover = alt.selection_point(
            name=f"hover{place}", fields=["layer"], on="pointerover", nearest=True, empty=False
        )
        layer, bare = _layer_axis(trace, deepest), _layer_axis(trace, deepest, labels=False)
        profile = _profile_panel(drawn[arm], theory[arm], layer, domain, view, colour, hover)
        heat = _heat_panel(drawn[arm], bare, view, time_axis(trace)[0], hover)
        row = alt.hconcat(
            profile.properties(width=PROFILE, height=height),
            heat.properties(width=HEAT, height=height),
            spacing=14,
        )
        title = alt.TitleParams(arm, fontSize=13, anchor="start", offset=4, color=colour)
        rows.append(row.properties(title=title) if len(traces) > 1 else row)
    message = layer_profile.headline(traces, view)
    chart = finish_chart(
        alt.vconcat(*rows, spacing=10).resolve_scale(color="shared"),
        message,
        _how_to_read(
            view,
            any(theory.values()),
            [row["kind"] for arm in drawn.values() for row in (*arm.median, *arm.marks)],
        ),
        f"Profile and heat map, {counted(len(traces), 'row')}: {view.title} by layer, the input at "
        f"the bottom. {message}.",
        width=PROFILE + HEAT,
    )
    return figure("descent", chart)


class _Arm(NamedTuple):
    """Rows of a panel: seeds, median now, cells, and what a cell cannot show."""

    seeds: Rows
    median: Rows
    cells: Rows
    marks: Rows


def _domain(arms: Any, theories: Any) -> list[float]:
    """Return the profile's range, the same for all arms: whole decades, 0 inside."""
    found = [row["dex"] for arm in arms for row in (*arm.seeds, *arm.median)]
    found += [row[edge] for rows in theories for row in rows for edge in ("dex", "low", "high")]
    finite = [value for value in found if value is not None] or [0.0]
    low, high = np.floor(min(min(finite), -0.5)), np.ceil(max(max(finite), 0.5))
    return [float(low), float(high)]


def _layer_axis(trace: Trace, deepest: int, *, labels: bool = True) -> Any:
    layers = trace.dataset.sizes["layer"]
    shown = {
        "title": "layer",
        "values": _ticks(layers),
        "labelExpr": f"datum.value == {layers} ? 'output' : format(datum.value, 'd')",
    }
    return alt.Y(
        "layer:Q",
        scale=alt.Scale(domain=[0.5, deepest + 0.5], nice=False, zero=False),
        axis=alt.Axis(grid=False, **(shown if labels else {"title": None, "labels": False})),
    )


def _ticks(layers: int) -> list[int]:
    """Return the layers that get a label: the first, some between, and the output."""
    every = next(step for step in (1, 2, 5, 10, 20, 50) if layers / step <= 11)
    return [1, *(layer for layer in range(every, layers - every // 2, every) if layer > 1), layers]


def _profile_panel(
    arm: _Arm,
    theory: Rows,
    layer: Any,
    domain: list[float],
    view: View,
    colour: str,
    hover: Any,
) -> Any:
    scale = alt.Scale(domain=domain, nice=False, clamp=True)
    axis = alt.Axis(title=view.title, format="d", tickMinStep=1, tickCount=6, labelOverlap=True)
    x = alt.X("dex:Q", scale=scale, axis=axis)
    layers = []
    banded = [row for row in theory if row["low"] is not None]
    if banded:
        layers.append(
            _chart(banded)
            .mark_area(orient="horizontal", color=BAND, opacity=0.25)
            .encode(y=layer, x=alt.X("low:Q", title=view.title, scale=scale), x2="high:Q")
        )
    if theory:
        layers.append(
            _chart(theory)
            .mark_line(orient="horizontal", color=THEORY, strokeDash=[2, 2], strokeWidth=1.5)
            .encode(y=layer, x=x, order="layer:Q")
        )
    finite = [row for row in arm.median if row["kind"] == "finite"]
    layers += [
        _chart([{"at": 0}]).mark_rule(color=BAND, strokeWidth=1).encode(x="at:Q"),
        _chart(arm.seeds)
        .mark_line(orient="horizontal", color=colour, strokeWidth=0.8, opacity=0.45)
        .encode(y=layer, x=x, order="layer:Q", detail="seed:N"),
        _chart(finite)
        .mark_line(orient="horizontal", color=colour, strokeWidth=2.8)
        .encode(y=layer, x=x, order="layer:Q"),
        _chart(finite)
        .mark_point(color=colour, filled=True, size=34, opacity=1)
        .encode(
            y=layer,
            x=x,
            tooltip=[
                alt.Tooltip("name:N", title="layer"),
                alt.Tooltip("dex:Q", title="median, dex", format="+.2f"),
            ],
        )
        .add_params(hover),
        _rule(finite, layer, hover),
    ]
    odd = [row for row in arm.median if row["kind"] != "finite"]
    if odd:
        layers.append(
            _chart(odd)
            .mark_text(color=INK, fontSize=12, xOffset=8)
            .encode(y=layer, x=alt.value(0), text="mark:N")
        )
    return alt.layer(*layers)


def _heat_panel(arm: _Arm, layer: Any, view: View, unit: str, hover: Any) -> Any:
    if not arm.cells and not arm.marks:
        return _empty()
    span = [row[edge] for row in (*arm.cells, *arm.marks) for edge in ("start", "end")]
    when = alt.X(
        "start:Q",
        title=unit,
        scale=alt.Scale(domain=[min(span), max(span)], nice=False),
        axis=alt.Axis(grid=False, tickCount=5, tickMinStep=1, format="d"),
    )
    range_ = AROUND if view.relative else RANGE
    colours = alt.Scale(
        type="quantize",
        domain=[range_.low, range_.high],
        scheme=alt.SchemeParams(
            name="blueorange" if view.relative else "cividis", count=range_.high - range_.low
        ),
    )
    key = alt.Legend(
        type="gradient",
        orient="top",
        gradientLength=HEAT + 70,
        title="decades lost (blue) or gained (orange)" if view.relative else view.title,
        titleLimit=2 * HEAT,
        tickCount=6,
        **({"format": "+d"} if view.relative else {"labelExpr": power_labels(range_)}),
    )
    base = (
        _chart(arm.cells)
        .transform_calculate(above="datum.layer + 0.5", layer="datum.layer - 0.5")
        .mark_rect(strokeWidth=0.6)
    )
    layers = [
        base.encode(
            x=when,
            x2="end:Q",
            y=layer,
            y2="above:Q",
            fill=alt.Fill("dex:Q", scale=colours, legend=key),
            stroke=alt.Stroke("dex:Q", scale=colours, legend=key),
            tooltip=[
                "layer:Q",
                alt.Tooltip("start:Q", title=unit),
                alt.Tooltip("dex:Q", title="dex", format="+.2f"),
            ],
        ),
        _rule(arm.median, layer, hover),
    ]
    if arm.marks:
        layers.append(
            _chart(arm.marks)
            .mark_text(color=INK, fontSize=9, align="left")
            .encode(x=when, y=layer, text="mark:N")
        )
    return alt.layer(*layers)


def _empty() -> Any:
    said = {"said": "over time: press Train"}
    return (
        _chart([said])
        .mark_text(color=QUIET, fontSize=13, align="center")
        .encode(text="said:N", x=alt.value(HEAT / 2), y=alt.value(HEIGHT / 2))
    )


def _rule(rows: Rows, layer: Any, hover: Any) -> Any:
    """Return the rule that the pointer moves, in both panels at once."""
    return (
        _chart([{"layer": row["layer"]} for row in rows])
        .mark_rule(color=INK, strokeWidth=1)
        .encode(y=layer, opacity=alt.condition(hover, alt.value(0.8), alt.value(0), empty=False))
    )


def _chart(rows: Rows) -> Any:
    return alt.Chart(inline(rows))


def _how_to_read(view: View, theory: bool, kinds: list[str]) -> str:
    said = (
        "The gradient starts at the top, at the loss, and walks down to the input. Thick: the "
        "median of the seeds at the newest step; thin: single seeds. "
    )
    if view.relative:
        said += "0 dex is what the last hidden layer gets, -1 dex a tenth of it, +1 ten times. "
    if theory:
        said += "Dotted: what theory expected of step 1, with its band of two standard deviations. "
    said += "Beside it the same over time, one column after the other" + (
        ": blue has lost, orange has gained, one shade a power of ten." if view.relative else "."
    )
    return said + legend(kinds)
