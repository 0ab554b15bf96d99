"""The figures of lessons 4 and 6: groups of seeds, and a training read panel by panel."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from support.figures import guess_mark
from undertow.show.figure import Figure, figure
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
from undertow.statistics.intervals import welch_interval
from undertow.trace import readings
from undertow.trace.record import Trace

GROUPS = {"baseline": ("circle", MEASURED), "placebo": ("square", REMEDY)}
SHIFT = 0.16  # of a seed's place: the two groups stand side by side


def seeds(baseline: np.ndarray, placebo: np.ndarray, count: int, guess: float | None) -> Figure:
    """Draw the first `count` networks of two groups that differ in nothing but their seeds."""
    one, other = baseline[:count], placebo[:count]
    interval = welch_interval(other, one)
    difference = float(other.mean() - one.mean())
    scale = alt.Scale(domain=[0, 104], nice=False)
    x = alt.X(
        "place:Q",
        title="network, one seed each",
        scale=alt.Scale(domain=[0.3, len(baseline) + 2.4], nice=False),
        axis=alt.Axis(grid=False, values=[1, *range(5, len(baseline) + 1, 5)]),
    )
    y = alt.Y("accuracy:Q", title="test accuracy (%)", scale=scale, axis=alt.Axis(tickCount=5))
    names = list(GROUPS)
    rows = [
        {"group": name, "place": place + side * SHIFT, "accuracy": float(value), "seed": place}
        for name, side, values in zip(names, (-1, 1), (one, other), strict=True)
        for place, value in enumerate(values, start=1)
    ]
    means = [
        {"group": name, "place": start, "end": count + 0.5, "accuracy": float(values.mean())}
        for name, values, start in zip(names, (one, other), (0.5, 0.5), strict=True)
    ]
    colour = alt.Color(
        "group:N",
        title=None,
        scale=alt.Scale(domain=names, range=[colour for _, colour in GROUPS.values()]),
        legend=alt.Legend(orient="top", direction="horizontal", symbolOpacity=1),
    )
    shape = alt.Shape(
        "group:N",
        title=None,
        scale=alt.Scale(domain=names, range=[shape for shape, _ in GROUPS.values()]),
        legend=alt.Legend(orient="top", direction="horizontal", symbolOpacity=1),
    )
    shown = [
        alt.Chart(inline(means))
        .mark_rule(strokeWidth=2, opacity=0.9)
        .encode(x=x, x2="end:Q", y=y, color=colour),
        alt.Chart(inline(rows))
        .mark_point(filled=True, size=90, opacity=1)
        .encode(x=x, y=y, color=colour, shape=shape, tooltip=["group:N", "seed:Q", "accuracy:Q"]),
    ]
    if guess is not None:
        best = float(max(baseline.max(), placebo.max()))
        span = [{"place": len(baseline) + 1.4, "accuracy": best, "end": max(0.0, best - guess)}]
        shown.append(
            alt.Chart(inline(span)).mark_rule(color=INK, strokeWidth=2).encode(x=x, y=y, y2="end:Q")
        )
        at = {"place": span[0]["place"], "accuracy": span[0]["end"]}
        shown.append(guess_mark(at, x, y, align="right", dx=-12))
    said = (
        f" (95 %: {interval.low:+.0f} to {interval.high:+.0f})"
        if interval
        else "; of one there is no interval"
    )
    message = (
        f"The first {count} of each: the placebo is {difference:+.1f} points "
        f"{'better' if difference >= 0 else 'off'}{said}"
        if count > 1
        else f"One of each, as in a published table: {difference:+.0f} points, from nothing"
    )
    everything = np.concatenate([baseline, placebo])
    chart = finish_chart(
        alt.layer(*shown).properties(height=320),
        message,
        "Each mark is a network, trained on the same data in the same way; only the seeds differ. "
        "Lines: the means of those shown. With few networks the means lie apart by luck; the "
        "interval says how far luck reaches. At the right, how far you thought the best and the "
        "worst lie apart.",
        f"Test accuracy of {count} networks and {count} placebos; best {everything.max():.0f} %, "
        f"worst {everything.min():.0f} %; difference of means {difference:+.1f} points.",
    )
    return figure("lesson-4", chart)


class Panel(NamedTuple):
    """One of the four readings: what is taken, over what, and the words of its axis."""

    name: str
    title: str
    over: str = ""


PANELS = (
    Panel("delta_norm", "delta over that of the last hidden layer", "last hidden"),
    Panel("grad_norm", "gradient |dE/dW|"),
    Panel("update_norm", "step over weight, |ΔW| / |W|", "weight_norm"),
    Panel("preactivation_rms", "pre-activation, RMS"),
)
WIDTH, TALL = 205, 210
RANGE = {  # decades on each axis, the same for every model and step
    "delta_norm": (-3.0, 3.0),
    "grad_norm": (-4.0, 3.0),
    "update_norm": (-5.0, 2.0),
    "preactivation_rms": (-3.0, 3.0),
}
GUIDE = -3.0  # rule of thumb for SGD


def readings_of(
    trace: Trace, healthy: Trace, theory: dict[str, Any], step: int, guess: float | None, name: str
) -> Figure:
    """Draw four readings of a training at a step beside those of a healthy network."""
    layers = [str(each) for each in trace.dataset["layer"].values]
    panels = [_panel(panel, trace, healthy, theory, step, guess, layers) for panel in PANELS]
    loss = float(readings.values(trace, "loss")[0, step - 1])
    message = f"{name} at step {step}: loss {loss:.2f}"
    grid = alt.concat(*panels, columns=2, spacing=26)
    chart = finish_chart(
        grid,
        message,
        "Layers upwards from the input; all axes are powers of ten. Blue: this model; grey dashed: "
        "a healthy one at the same step; dotted: what theory expects of the healthy one at step 1. "
        "A ratio (above left) shows which layer loses: a fall between two layers is made by the "
        "weights of the upper one. A level (above right, below right) shows what a ratio hides. A "
        "step over its weight (below left) has no unit: it alone can be called large. The rule at "
        "-3 is a rule of thumb for SGD; a 0 at the left edge is an exact zero.",
        f"{message}. "
        + "; ".join(
            f"{panel.title}: "
            + ", ".join(f"{value:.1f}" for value in _dex(trace, panel, step) if np.isfinite(value))
            for panel in PANELS
        )
        + " (log10, from the input up).",
    )
    return figure("lesson-6", chart)


def _dex(trace: Trace, panel: Panel, step: int) -> np.ndarray:
    values = readings.values(trace, panel.name)[0, step - 1].astype(np.float64)
    below = 1.0
    if panel.over == "last hidden":
        below = values[-2]
    elif panel.over:
        below = readings.values(trace, panel.over)[0, step - 1].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log10(values / below)


def _panel(
    panel: Panel,
    trace: Trace,
    healthy: Trace,
    theory: dict[str, Any],
    step: int,
    guess: float | None,
    layers: list[str],
) -> Any:
    low, high = RANGE[panel.name]
    x = alt.X(
        "dex:Q",
        title="log10 (dex)",
        scale=alt.Scale(domain=[low, high], nice=False, clamp=True),
        axis=alt.Axis(tickMinStep=1, format="d", tickCount=6),
    )
    names = " : ".join(f"datum.value == {at} ? '{name}'" for at, name in enumerate(layers, 1))
    y = alt.Y(
        "layer:Q",
        title=None,
        scale=alt.Scale(domain=[0.5, len(layers) + 0.5], nice=False, zero=False),
        axis=alt.Axis(
            grid=False, values=list(range(1, len(layers) + 1)), labelExpr=f"{names} : ''"
        ),
    )
    shown = []
    if panel.name == "update_norm":
        shown.append(alt.Chart(inline([{"dex": GUIDE}])).mark_rule(color=BAND).encode(x=x))
        if guess is not None:
            shown.append(guess_mark({"dex": guess, "layer": len(layers)}, x, y, **_side(guess)))
    for which, style in ((healthy, "healthy"), (trace, "model")):
        values = _dex(which, panel, step)
        rows = [
            {"layer": place, "dex": float(value), "name": layers[place - 1]}
            for place, value in enumerate(values, start=1)
            if np.isfinite(value)
        ]
        line = alt.Chart(inline(rows)).mark_line(
            orient="horizontal",
            color=MEASURED if style == "model" else BAND,
            strokeWidth=2.8 if style == "model" else 2,
            strokeDash=[1, 0] if style == "model" else [6, 4],
            **({"point": alt.OverlayMarkDef(color=MEASURED, size=36)} if style == "model" else {}),
        )
        tooltip = ["name:N", alt.Tooltip("dex:Q", format="+.2f")]
        shown.append(line.encode(x=x, y=y, order="layer:Q", tooltip=tooltip))
        if style == "model":
            zeros = [
                {"layer": place, "said": "0"}
                for place, value in enumerate(values, start=1)
                if not np.isfinite(value)
            ]
            if zeros:
                shown.append(
                    alt.Chart(inline(zeros))
                    .mark_text(color=INK, fontSize=13, fontWeight="bold")
                    .encode(x=alt.value(8), y=y, text="said:N")
                )
    expected = theory.get(panel.name)
    if expected is not None:
        level = np.log10(np.asarray(expected, np.float64))
        level = level - level[-2] if panel.over else level
        rows = [{"layer": place, "dex": float(dex)} for place, dex in enumerate(level, start=1)]
        dotted = alt.Chart(inline(rows)).mark_line(
            orient="horizontal", color=THEORY, strokeDash=[2, 3], strokeWidth=1.8
        )
        shown.append(dotted.encode(x=x, y=y, order="layer:Q"))
    return alt.layer(*shown).properties(
        width=WIDTH,
        height=TALL,
        title=alt.TitleParams(panel.title, fontSize=14, color=QUIET, offset=6),
    )


def _side(guess: float) -> dict[str, Any]:
    low, high = RANGE["update_norm"]
    return {"align": "right", "dx": -12} if guess > (low + high) / 2 else {}
