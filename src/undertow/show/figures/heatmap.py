"""The gradient of every layer over the whole training, a cell a layer and epoch."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from undertow.numerals import counted, scientific
from undertow.show.axes import Decades, power_labels, time_axis
from undertow.show.figure import Kind, Traces
from undertow.show.special_values import GLYPHS, is_diverged, legend, underflowed_layers, value_kind
from undertow.show.theme import BAND, PANEL, alt, columns, finish_chart, inline
from undertow.statistics.bands import band, in_columns, median
from undertow.trace.readings import values
from undertow.trace.record import Trace

RANGE = Decades(-12, 6)  # the same in every figure, so that a colour always means the same


class Stretch(NamedTuple):
    """A row of cells of one layer that are all alike: zero, NaN and so on."""

    layer: int
    start: float
    end: float
    kind: str


def heatmap(traces: Traces) -> Any:
    """Draw log10 |dE/dW| by layer and epoch, the median over replicates, a panel an arm."""
    found = {arm: _cells(trace) for arm, trace in traces.items()}
    deepest = max(trace.dataset.sizes["layer"] for trace in traces.values())
    panels = [
        _panel(arm, *found[arm], deepest, time_axis(trace)[0]) for arm, trace in traces.items()
    ]
    across = columns(len(panels))
    kinds = [stretch["kind"] for _, stretches in found.values() for stretch in stretches]
    message = _message({arm: cells for arm, (cells, _) in found.items()})
    return finish_chart(
        alt.concat(*panels, columns=across).resolve_scale(color="shared"),
        message,
        "Each row is a layer, the input below; time runs to the right. Yellow is a large gradient, "
        "dark blue a small one, a power of ten a step, the same scale in every figure. Rows that "
        f"darken downwards: the gradient vanishes on its way to the input.{_words(kinds)}",
        f"Heat maps, one for each of {counted(len(traces), 'arm')}: the median norm of dE/dW by "
        "layer and time, in steps of a power of ten from 10⁻¹² to 10⁶.",
        width=across * (PANEL + 60),
    )


HEATMAP = Kind("gradient-over-time", ("grad_norm",), (), heatmap)


def _message(cells: dict[str, list[dict[str, Any]]]) -> str:
    """Say what layer 1 gets over the training, in the arm that gets least and the one with most."""
    typical = {
        arm: 10 ** median([cell["dex"] for cell in part if cell["layer"] == 1])
        for arm, part in cells.items()
        if any(cell["layer"] == 1 for cell in part)
    }
    if not typical:
        return "The gradient over the whole training"
    least, most = min(typical, key=lambda arm: typical[arm]), max(typical, key=lambda a: typical[a])
    first = f"Over the training layer 1 of {least} typically gets {scientific(typical[least])}"
    return first + (f"; of {most}, {scientific(typical[most])}" if most != least else "")


def _cells(trace: Trace) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the cells that have a number, and the stretches that have none."""
    _, times = time_axis(trace)
    reduced = in_columns(band(values(trace, "grad_norm")).median, times, decades=True)
    broken = in_columns(is_diverged(trace), times).values > 0
    underflowed = underflowed_layers(trace)
    cells, stretches = [], []
    for place, name in enumerate(trace.dataset["layer"].values):
        kinds = [
            value_kind(value, underflowed=bool(underflowed[place]), diverged=bool(bad))
            for value, bad in zip(reduced.values[:, place], broken[:, place], strict=True)
        ]
        for column, what in enumerate(kinds):
            start, end = float(reduced.first[column]), float(reduced.last[column] + 1)
            if what == "finite":
                cells.append(
                    {
                        "layer": place + 1,
                        "name": str(name),
                        "start": start,
                        "end": end,
                        "dex": round(float(np.log10(reduced.values[column, place])), 3),
                    }
                )
            elif column and kinds[column - 1] == what:
                stretches[-1] = stretches[-1]._replace(end=end)
            else:
                stretches.append(Stretch(place + 1, start, end, what))
    return cells, [
        stretch._asdict()
        | {"mark": GLYPHS[stretch.kind], "middle": (stretch.start + stretch.end) / 2}
        for stretch in stretches
    ]


def _panel(
    arm: str,
    cells: list[dict[str, Any]],
    stretches: list[dict[str, Any]],
    deepest: int,
    unit: str,
) -> Any:
    layer = alt.Y(
        "layer:O",
        title="layer",
        sort=None,
        scale=alt.Scale(domain=list(range(deepest, 0, -1)), paddingInner=0),
        axis=alt.Axis(labelOverlap=True, ticks=False, domain=False),
    )
    spans = [(row["start"], row["end"]) for row in (*cells, *stretches)]
    scale = alt.Scale(
        domain=[min(span[0] for span in spans), max(span[1] for span in spans)], nice=False
    )
    when = alt.X("start:Q", title=unit, scale=scale, axis=alt.Axis(grid=False, tickCount=4))
    scale_of_colour = alt.Scale(
        type="quantize",
        domain=[RANGE.low, RANGE.high],
        scheme=alt.SchemeParams(name="cividis", count=RANGE.high - RANGE.low),
    )
    colour = alt.Color(
        "dex:Q",
        title="|dE/dW| (units of loss)",
        scale=scale_of_colour,
        legend=alt.Legend(
            type="gradient",
            orient="top",
            direction="horizontal",
            gradientLength=360,
            labelExpr=power_labels(RANGE),
            titleLimit=300,
        ),
    )
    layers = [
        alt.Chart(inline(cells))
        .mark_rect(strokeWidth=0.7)  # in the cell's own colour: without it hairlines show between
        .encode(
            stroke=alt.Stroke("dex:Q", scale=scale_of_colour, legend=None),
            x=when,
            x2="end:Q",
            y=layer,
            color=colour,
            tooltip=[
                alt.Tooltip("name:N", title="layer"),
                alt.Tooltip("start:Q", title=unit),
                alt.Tooltip("dex:Q", title="log10 |dE/dW|", format=".2f"),
            ],
        )
    ]
    if stretches:
        base = alt.Chart(inline(stretches))
        blank = base.mark_rect(fill="white", stroke=BAND, strokeWidth=0.5)
        layers += [
            blank.encode(x=when, x2="end:Q", y=layer),
            base.mark_text(color="black", fontSize=10).encode(
                x=alt.X("middle:Q", title=unit), y=layer, text="mark:N"
            ),
        ]
    return alt.layer(*layers).properties(
        width=PANEL,
        height=max(PANEL, min(13 * deepest, 600)),
        title=alt.TitleParams(arm, fontSize=12, offset=4),
    )


def _words(kinds: list[str]) -> str:
    return legend(kinds).replace("At the edge", "White cells")
