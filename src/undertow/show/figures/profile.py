"""The gradient by layer, at step 1 and at the end: where it goes, and whether it comes back."""

from __future__ import annotations

from typing import Any

import numpy as np

from undertow.numerals import counted, scientific
from undertow.show.axes import Decades, decades, log_axis, log_scale
from undertow.show.figure import Kind, Traces
from undertow.show.special_values import GLYPHS, is_diverged, legend, underflowed_layers, value_kind
from undertow.show.theme import MEASURED, PANEL, REMEDY, THEORY, alt, columns, finish_chart, inline
from undertow.statistics.bands import band, last_epoch, lost_decades
from undertow.trace.readings import last_hidden, values
from undertow.trace.record import Trace

START, END, THEORY_SAYS = "step 1", "last epoch", "theory, step 1"
STYLES = {  # colour, marker and dash of each line
    START: (MEASURED, "circle", [1, 0]),
    END: (REMEDY, "square", [5, 3]),
    THEORY_SAYS: (THEORY, "stroke", [2, 2]),
}
WORDS = {
    "grad_norm": ("gradient of the weights, |dE/dW| (units of loss)", "weight gradient"),
    "delta_norm": ("delta, |dE/dz| (units of loss)", "delta"),
}


def gradients(traces: Traces) -> Any:
    """Draw the norm of the weight gradient against the layer, a panel an arm."""
    return profile(traces, "grad_norm")


def deltas(traces: Traces) -> Any:
    """Draw the norm of delta, dE/dz, against the layer, a panel an arm."""
    return profile(traces, "delta_norm")


GRADIENTS = Kind("gradient-by-layer", ("grad_norm",), (), gradients)
DELTAS = Kind("delta-by-layer", ("delta_norm",), (), deltas)


def profile(traces: Traces, variable: str = "grad_norm") -> Any:
    """Draw a norm against the layer: median and band over replicates, at step 1 and at the end.

    >>> import numpy as np
    >>> from undertow.trace.record import Chunk, Header, Layer, build
    >>> layer = Layer("output", 1, "linear", "linear", 2, 1)
    >>> header = Header((layer,), (0,), {"source": "trained"})
    >>> ones = np.ones((1, 1, 1))
    >>> chunk = Chunk(np.array([1]), np.array([1]), {"grad_norm": ones, "delta_norm": ones})
    >>> chart = profile({"plain": build(header, [chunk])}, "delta_norm")
    >>> chart.to_dict()["title"]["text"]
    ['The delta, layer by layer']
    """
    rows = {
        arm: [*_rows(arm, trace, variable), *_theory(arm, trace, variable)]
        for arm, trace in traces.items()
    }
    everything = [row for part in rows.values() for row in part]
    range_ = decades(row[name] for row in everything for name in ("low", "value", "high"))
    for row in everything:
        row["low drawn"], row["high drawn"] = range_.drawn(row["low"]), range_.drawn(row["high"])
        for name in ("low", "value", "high"):
            row[name] = row[name] if np.isfinite(row[name]) else None
    deepest = max(row["layer"] for row in everything)
    drawn = [moment for moment in STYLES if any(row["moment"] == moment for row in everything)]
    panels = [_panel(arm, part, variable, range_, deepest, drawn) for arm, part in rows.items()]
    width = columns(len(panels)) * (PANEL + 60)
    return finish_chart(
        alt.concat(*panels, columns=columns(len(panels))),
        title(traces, variable),
        "Layers from the input (1, below) to the output (above); each line is the median of the "
        "replicates, the band holds the middle 90 %. A line that leans to the left towards the "
        "input is a gradient that vanishes; to the right, one that explodes; upright is healthy."
        f"{_theory_words(drawn, variable)}{legend(row['kind'] for row in everything)}",
        f"Line charts, one for each of {counted(len(traces), 'arm')}: {WORDS[variable][0]} on a "
        f"logarithmic axis against the layer, at step 1 and at the end. {title(traces, variable)}",
        width=width,
    )


def title(traces: Traces, variable: str) -> str:
    """Say which arm loses most and which least between the last hidden layer and the first."""
    lost = {
        arm: lost_decades(norms[:, 0], norms[:, place])
        for arm, norms, place in (
            (arm, values(trace, variable)[:, 0], last_hidden(trace, variable))
            for arm, trace in traces.items()
        )
        if norms.shape[1] > 2
    }
    lost = {arm: dex for arm, dex in lost.items() if dex < np.inf}
    if not lost:
        return f"The {WORDS[variable][1]}, layer by layer"
    order = sorted(lost, key=lambda arm: lost[arm])
    worst, mildest = order[0], order[-1]
    share = f"{scientific(10 ** lost[worst])} times" if lost[worst] > -np.inf else "nothing of"
    first = (
        f"At step 1 layer 1 of {worst} gets {share} the "
        f"{WORDS[variable][1]} of its last hidden layer"
    )
    return first + (f"; in {mildest} {scientific(10 ** lost[mildest])} times" * (len(order) > 1))


def _rows(arm: str, trace: Trace, variable: str) -> list[dict[str, Any]]:
    norms = values(trace, variable)
    epochs = trace.dataset["epoch"].values
    moments = {START: (norms[:, 0], is_diverged(trace)[0])}
    if norms.shape[1] > 1:
        ends = epochs == epochs[-1]
        moments[END] = (last_epoch(norms, epochs), is_diverged(trace)[ends].any(0))
    underflowed = underflowed_layers(trace)
    rows = []
    for moment, (reduced, broken) in moments.items():
        low, middle, high = band(reduced)
        for place, name in enumerate(trace.dataset["layer"].values):
            rows.append(
                {
                    "arm": arm,
                    "moment": moment,
                    "layer": place + 1,
                    "name": str(name),
                    "low": float(low[place]),
                    "value": float(middle[place]),
                    "high": float(high[place]),
                    "kind": value_kind(
                        middle[place],
                        underflowed=bool(underflowed[place]),
                        diverged=bool(broken[place]),
                    ),
                }
            )
    return rows


def _theory(arm: str, trace: Trace, variable: str) -> list[dict[str, Any]]:
    """Rows of what theory expects: the median and two standard deviations, or the RMS alone."""
    theory = trace.attributes.get("predicted")
    if not theory:
        return []
    middle = np.asarray(theory[variable], dtype=np.float64)
    spread = np.zeros_like(middle)
    if variable == "grad_norm" and "sd_dex" in theory:
        middle = middle * 10 ** np.asarray(theory["median_shift_dex"])
        spread = 2 * np.asarray(theory["sd_dex"])
    return [
        {
            "arm": arm,
            "moment": THEORY_SAYS,
            "layer": place + 1,
            "name": str(name),
            "low": float(middle[place] / 10 ** spread[place]),
            "value": float(middle[place]),
            "high": float(middle[place] * 10 ** spread[place]),
            "kind": "finite",
        }
        for place, name in enumerate(trace.dataset["layer"].values)
        if middle[place] > 0
    ]


def _theory_words(drawn: list[str], variable: str) -> str:
    if THEORY_SAYS not in drawn:
        return ""
    band = ", and its band of two standard deviations," if variable == "grad_norm" else ""
    return f" The dotted line{band} is what theory expects of step 1."


def _panel(
    arm: str,
    rows: list[dict[str, Any]],
    variable: str,
    range_: Decades,
    deepest: int,
    drawn: list[str],
) -> Any:
    layer = alt.Y(
        "layer:Q",
        title="layer",
        scale=alt.Scale(domain=[0.5, deepest + 0.5], nice=False, zero=False),
        axis=alt.Axis(format="d", tickMinStep=1, tickCount=min(deepest, 6), grid=False),
    )
    norm_title = "|dE/dW| (units of loss)" if variable == "grad_norm" else "|dE/dz| (units of loss)"
    colours, shapes, dashes = zip(*(STYLES[moment] for moment in drawn), strict=True)
    moments = alt.Scale(domain=drawn, range=list(colours))
    base = alt.Chart(inline([row for row in rows if row["kind"] == "finite"]))
    banded = alt.Chart(inline([row for row in rows if _has_band(row)]))
    x = alt.X("value:Q", scale=log_scale(range_), axis=log_axis(norm_title, range_, 4))
    colour = alt.Color("moment:N", title=None, scale=moments, legend=_legend())
    shape = alt.Shape(
        "moment:N",
        title=None,
        scale=alt.Scale(domain=drawn, range=list(shapes)),
        legend=_legend(),
    )
    dash = alt.StrokeDash(
        "moment:N",
        scale=alt.Scale(domain=drawn, range=list(dashes)),
        legend=None,
    )
    tooltip = [
        alt.Tooltip("name:N", title="layer"),
        alt.Tooltip("moment:N", title="when"),
        alt.Tooltip("value:Q", title="median", format=".2e"),
        alt.Tooltip("low:Q", title="5 %", format=".2e"),
        alt.Tooltip("high:Q", title="95 %", format=".2e"),
    ]
    spread = banded.mark_area(orient="horizontal", opacity=0.22).encode(
        y=layer, x=alt.X("low drawn:Q", title=norm_title), x2="high drawn:Q", color=colour
    )
    line = base.mark_line(orient="horizontal", strokeWidth=2).encode(
        y=layer, x=x, color=colour, strokeDash=dash, order="layer:Q"
    )
    points = base.mark_point(size=28, filled=True, opacity=1).encode(
        y=layer, x=x, color=colour, shape=shape, tooltip=tooltip
    )
    return alt.layer(spread, line, points, *_marks(rows, layer)).properties(
        width=PANEL, height=PANEL * 1.2, title=alt.TitleParams(arm, fontSize=12, offset=4)
    )


def _has_band(row: dict[str, Any]) -> bool:
    """Tell whether a band can be drawn: one where all replicates are zero has no width."""
    return row["kind"] != "not measured" and row["high"] != 0


def _legend() -> Any:
    return alt.Legend(orient="top", direction="horizontal", symbolOpacity=1)


def _marks(rows: list[dict[str, Any]], layer: Any) -> list[Any]:
    """Mark at the left edge what is zero, at the right edge what is not finite."""
    marks = []
    for edge, inwards, kinds in (
        (0, 6, ("zero", "underflow")),
        ("width", -6, ("nan", "inf", "not measured")),
    ):
        part = [row | {"mark": GLYPHS[row["kind"]]} for row in rows if row["kind"] in kinds]
        if part:
            marks.append(
                alt.Chart(inline(part))
                .mark_text(color="black", fontSize=12, xOffset=inwards)
                .encode(y=layer, x=alt.value(edge), text="mark:N")
            )
    return marks
