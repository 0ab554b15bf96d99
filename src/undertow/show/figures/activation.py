"""The activation functions, their slopes, and where the pre-activations of a run lie on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from undertow.activations.activation import BOTH, find, named
from undertow.numerals import counted
from undertow.show.figure import Kind, Traces
from undertow.show.theme import MEASURED, PANEL, THEORY, alt, columns, finish_chart, inline, style
from undertow.statistics.bands import sum_histograms
from undertow.statistics.values import mean_of
from undertow.trace.readings import values
from undertow.trace.schema import HISTOGRAM_EDGE

SHOWN = ("sigmoid", "tanh", "relu", "leaky_relu")
NAMES = {"leaky_relu": "leaky ReLU", "relu": "ReLU"}


def functions(_: Traces | None = None) -> Any:
    """Draw sigmoid, tanh, ReLU and leaky ReLU, and their slopes."""
    # An even number of points: the slope of ReLU jumps at 0.
    z = np.linspace(-6, 6, 122)
    panels = []
    for what, title, domain in (
        ("value", "activation x = φ(z)", [-1.2, 3]),
        ("slope", "slope φ'(z)", [-0.05, 1.15]),
    ):
        rows = [
            {"activation": NAMES.get(name, name), "z": round(float(at), 4), "value": float(value)}
            for name in SHOWN
            for at, value in zip(z, getattr(find(name), what)(z), strict=True)
        ]
        panels.append(_curves(rows, title, domain))
    return finish_chart(
        alt.concat(*panels, columns=2),
        "A sigmoid passes on a quarter of the gradient at best; tanh and ReLU pass on all of it",
        "Left the function, right its slope: a gradient is multiplied by the slope at every layer. "
        "The sigmoid's slope never exceeds 0.25, and all saturating functions lose their slope "
        "towards the edges; ReLU's slope is 0 or 1.",
        "Two line charts over the pre-activation z from -6 to 6: sigmoid, tanh, ReLU and leaky "
        "ReLU, and their slopes. The sigmoid's slope peaks at 0.25, that of the others at 1.",
        width=680,
    )


def preactivations(traces: Traces) -> Any:
    """Draw the pre-activations of the first batch over the slope of the activation."""
    panels = [_histogram(arm, trace) for arm, trace in traces.items()]
    across = columns(len(panels))
    return finish_chart(
        alt.concat(*panels, columns=across),
        _message(traces),
        "Bars: where the pre-activations of the first batch lie, all hidden layers and replicates "
        "together, as a share of the tallest bar. Line: the activation's slope there, as a share "
        "of its largest. Bars under the low ends of the line pass no gradient on. The outermost "
        "bars hold all that lies beyond.",
        f"Histograms, one for each of {counted(len(traces), 'arm')}: the pre-activations of the "
        f"first batch from -10 to 10, with the slope of the activation. {_message(traces)}.",
        width=across * (PANEL + 60),
    )


FUNCTION_CURVES = Kind("activations", (), (), functions)
PREACTIVATIONS = Kind(
    "preactivations", ("saturated_fraction",), ("preactivation_histogram",), preactivations
)


def _activation(trace: Any) -> str:
    return str(trace.dataset["activation"].values[0])


def _message(traces: Traces) -> str:
    """Say what share of the pre-activations lies where a saturating function is nearly level."""
    shares = {}
    for arm, trace in traces.items():
        known = named().get(_activation(trace))
        if known and known.flat == BOTH:
            at_first = values(trace, "saturated_fraction")[:, 0]
            measured = at_first[np.isfinite(at_first)]
            if measured.size:
                shares[arm] = mean_of(measured)
    if not shares:
        return "Where the pre-activations lie on the slope of the activation"
    arm = max(shares, key=lambda name: shares[name])
    share = 100 * shares[arm]
    if share < 1:
        return (
            "Before training the pre-activations lie in the middle of the slope, "
            f"{f'{share:.1g} %' if share else 'none'} at its outer edges"
        )
    return f"Before training {share:.0f} % of the pre-activations of {arm} are at the outer edges"


def _curves(rows: list[dict[str, Any]], title: str, domain: list[float]) -> Any:
    names = list(dict.fromkeys(row["activation"] for row in rows))
    styles = [style(place) for place in range(len(names))]
    legend = alt.Legend(orient="top", direction="horizontal", symbolSize=300)
    return (
        alt.Chart(inline(rows))
        .mark_line(strokeWidth=2.2, clip=True)
        .encode(
            x=alt.X("z:Q", title="pre-activation z (no unit)"),
            y=alt.Y("value:Q", title=f"{title} (no unit)", scale=alt.Scale(domain=domain)),
            color=alt.Color(
                "activation:N",
                title=None,
                scale=alt.Scale(domain=names, range=[each.colour for each in styles]),
                legend=legend,
            ),
            strokeDash=alt.StrokeDash(
                "activation:N",
                title=None,
                scale=alt.Scale(domain=names, range=_DASHES[: len(names)]),
                legend=legend,
            ),
        )
        .properties(width=290, height=240)
    )


_DASHES = [[1, 0], [7, 3], [2, 2], [8, 2, 2, 2]]


def _histogram(arm: str, trace: Any) -> Any:
    name = _activation(trace)
    middles, shares = sum_histograms(trace.artefacts["preactivation_histogram"][0], HISTOGRAM_EDGE)
    width = middles[1] - middles[0]
    tallest = max(shares.max(), 1e-300)
    bars = [
        {
            "start": round(float(middle - width / 2), 4),
            "end": round(float(middle + width / 2), 4),
            "share": round(float(share), 6),
            "height": round(float(share / tallest), 5),
        }
        for middle, share in zip(middles, shares, strict=True)
        if share > 0
    ]
    edge = max([6.0, *(abs(bar[end]) for bar in bars for end in ("start", "end"))])
    middles = middles[np.abs(middles) < edge]
    line = []
    if name in SHOWN:
        slopes = find(name).slope(middles)
        line = [
            {"z": round(float(middle), 4), "slope": round(float(slope / slopes.max()), 5)}
            for middle, slope in zip(middles, slopes, strict=True)
        ]
    said = f"slope of {NAMES.get(name, name)}" if line else f"{name}, slope not drawn"
    title = "share of the largest"
    histogram = (
        alt.Chart(inline(bars))
        .mark_rect(color=MEASURED, opacity=0.55)
        .encode(
            x=alt.X(
                "start:Q",
                title="pre-activation z (no unit)",
                scale=alt.Scale(domain=[-edge, edge], nice=False),
                axis=alt.Axis(values=[-10, -5, 0, 5, 10]),
            ),
            x2="end:Q",
            y=alt.Y("height:Q", title=title, scale=alt.Scale(domain=[0, 1.05])),
            y2=alt.datum(0),
            tooltip=[
                alt.Tooltip("start:Q", title="from"),
                alt.Tooltip("end:Q", title="to"),
                alt.Tooltip("share:Q", title="share of all", format=".2%"),
            ],
        )
    )
    slope = (
        alt.Chart(inline(line))
        .mark_line(color=THEORY, strokeWidth=1.8)
        .encode(x=alt.X("z:Q"), y=alt.Y("slope:Q", title=title))
    )
    return alt.layer(histogram, slope).properties(
        width=PANEL,
        height=PANEL * 0.8,
        title=alt.TitleParams(arm, subtitle=said, fontSize=12, offset=4),
    )
