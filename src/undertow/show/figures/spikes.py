"""The size of the whole gradient over the steps, its own band, and what happened on the way.

Answers "the gradient norm spiked": by how much, against what is usual for this run, and where.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from undertow.numerals import counted
from undertow.show.axes import Decades, decades, log_axis, log_scale
from undertow.show.figure import Kind, Traces
from undertow.show.theme import BAND, INK, MEASURED, REMEDY, alt, finish_chart, inline
from undertow.statistics.bands import band
from undertow.statistics.spikes import spikes
from undertow.trace.readings import values
from undertow.trace.record import Trace

POINTS = 300  # of a line; of those between two the largest is drawn, so that no spike is lost
WIDTH, HEIGHT = 560, 150
MOST = 60  # marks of events and spikes in a lane
SHAPES = {
    "spike": "triangle-up",
    "nonfinite": "cross",
    "overflow": "cross",
    "underflow": "triangle-down",
    "clipped": "square",
    "skipped": "diamond",
    "lost": "circle",
    "interrupted": "circle",
}


class Incident(NamedTuple):
    """A spike or an event; `dex` is how far the gradient then lies above what is usual there.

    >>> spike = Incident("spike", 21, "fc1", "most at this layer: +2.4 dex", dex=2.0)
    >>> f"step {spike.step}: {10**spike.dex:.3g} times the usual, most at {spike.layer}"
    'step 21: 100 times the usual, most at fc1'
    """

    what: str
    step: int
    layer: str
    detail: str
    dex: float


def spikes_figure(traces: Traces) -> Any:
    """Draw the norm of the whole gradient against the step, a row an arm."""
    found = {arm: incidents(trace) for arm, trace in traces.items()}
    lines = {arm: _line(trace) for arm, trace in traces.items()}
    range_ = decades(row["high"] for rows in lines.values() for row in rows)
    rows = [
        _row(lines[arm], found[arm], range_, arm if len(traces) > 1 else None) for arm in traces
    ]
    message = "; ".join(
        _message(found[arm], _whole_norm(trace), arm if len(traces) > 1 else "")
        for arm, trace in traces.items()
    )
    return finish_chart(
        alt.vconcat(*rows, spacing=8),
        message[:1].upper() + message[1:],
        "The line is the norm of the gradient of all layers together, the median of the "
        "replicates; it ends where it is no number. The grey band is what is usual for this run "
        "there, around the median of the 51 nearest recorded steps. A triangle is a spike above "
        "it; other marks are events.",
        f"Line charts, {counted(len(traces), 'run')}: the norm of the whole gradient on a "
        f"logarithmic axis against the step, with its band and what happened. {message}.",
        width=WIDTH,
    )


SPIKES = Kind("gradient-over-steps", ("grad_norm",), (), spikes_figure)


def incidents(trace: Trace) -> list[Incident]:
    """Return spikes and events in the order of their steps.

    >>> import xarray
    >>> norms = np.ones((1, 41, 1))
    >>> norms[0, 20] = 100.0
    >>> arrays = {"grad_norm": (("replicate", "step", "layer"), norms)}
    >>> trace = Trace(xarray.Dataset(arrays, {"step": np.arange(1, 42), "layer": ["fc1"]}))
    >>> incidents(trace)
    [Incident(what='spike', step=21, layer='fc1', detail='most at this layer: +2.0 dex', dex=2.0)]

    A spike is named by the layer that leaps farthest. An event's `dex` is that of its step.
    """
    steps, layers = trace.dataset["step"].values, trace.dataset["layer"].values
    logs = _logs(_whole_norm(trace))
    usual = spikes(logs)
    above = logs - usual.middle
    found = []
    if len(usual.places):
        each = _logs(band(values(trace, "grad_norm")).median)  # [steps, layers]
        middles = np.stack([spikes(column).middle for column in each.T], 1)
        for place in usual.places:
            leap = np.nan_to_num(each[place] - middles[place], nan=-np.inf)
            name = str(layers[int(np.argmax(leap))])
            detail = f"most at this layer: {leap.max():+.1f} dex"
            found.append(Incident("spike", int(steps[place]), name, detail, float(above[place])))
    at = {int(step): float(dex) for step, dex in zip(steps, above, strict=True)}
    found += [
        Incident(each.kind, each.step, each.layer or "", each.detail, at.get(each.step, np.nan))
        for each in trace.events
    ]
    return sorted(found, key=lambda each: each.step)


def _whole_norm(trace: Trace) -> np.ndarray:
    """Return the norm of all layers' gradients together, the median of the replicates; [steps]."""
    norms = values(trace, "grad_norm").astype(np.float64)
    # A layer that was not there, or not measured, is NaN beside others that are numbers.
    absent = np.isnan(norms) & (_broken_line(trace) == 0)
    whole = np.sqrt(np.sum(np.where(absent, 0.0, norms) ** 2, -1))
    return band(np.where(absent.all(-1), np.nan, whole)).median


def _broken_line(trace: Trace) -> np.ndarray:
    if "nonfinite" not in trace.dataset:
        return np.zeros((1, 1, 1))
    return np.nan_to_num(values(trace, "nonfinite"))


def _logs(norms: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log10(norms)


def _line(trace: Trace) -> list[dict[str, Any]]:
    """Return the line in parts of steps, and the band that it had there."""
    steps, whole = trace.dataset["step"].values, _whole_norm(trace)
    usual = spikes(_logs(whole))
    wide = usual.half_width if np.isfinite(usual.half_width) else 0.0
    rows = []
    for part in np.array_split(np.arange(len(steps)), min(POINTS, max(len(steps), 1))):
        finite = part[np.isfinite(whole[part]) & (whole[part] > 0)]
        if not len(finite):
            continue
        top = finite[np.argmax(whole[finite])]
        middle = float(usual.middle[top])
        rows.append(
            {
                "step": int(steps[top]),
                "high": float(whole[top]),
                "from": 10.0 ** (middle - wide),
                "to": 10.0 ** (middle + wide),
            }
        )
    return rows


def _row(
    line: list[dict[str, Any]], found: list[Incident], range_: Decades, name: str | None
) -> Any:
    marks = [
        {
            "what": each.what,
            "step": each.step,
            "layer": each.layer,
            "detail": each.detail,
            "dex": round(each.dex, 2) if np.isfinite(each.dex) else None,
        }
        for each in _most_telling(found)
    ]
    when = alt.X(
        "step:Q",
        title="step",
        scale=alt.Scale(nice=False, zero=False),
        axis=alt.Axis(grid=False, tickCount=6, tickMinStep=1, format="d"),
    )
    scale = log_scale(range_)
    for row in line:
        row["from"], row["to"] = range_.drawn(row["from"]), range_.drawn(row["to"])
    base = alt.Chart(inline(line))
    layers = [
        base.mark_area(color=BAND, opacity=0.3).encode(
            x=when, y=alt.Y("from:Q", scale=scale), y2="to:Q"
        ),
        base.mark_line(color=MEASURED, strokeWidth=1.6).encode(
            x=when,
            y=alt.Y("high:Q", scale=scale, axis=log_axis("|dE/dW|, all layers", range_, 5)),
        ),
    ]
    if marks:
        present = [what for what in SHAPES if any(row["what"] == what for row in marks)]
        layers.append(
            alt.Chart(inline(marks))
            .mark_point(color=REMEDY, filled=True, size=70, opacity=1)
            .encode(
                x=when,
                y=alt.value(10),
                shape=alt.Shape(
                    "what:N",
                    title=None,
                    scale=alt.Scale(domain=present, range=[SHAPES[what] for what in present]),
                    legend=alt.Legend(orient="top", direction="horizontal"),
                ),
                tooltip=[
                    "what:N",
                    "step:Q",
                    "layer:N",
                    alt.Tooltip("dex:Q", title="dex above usual", format="+.2f"),
                    "detail:N",
                ],
            )
        )
    title = alt.TitleParams(name or "", fontSize=13, anchor="start", offset=4, color=INK)
    drawn = alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)
    return drawn.properties(title=title) if name else drawn


def _most_telling(found: list[Incident]) -> list[Incident]:
    """Return the spikes first, largest first, then events; as many as a lane can show."""
    spiked = sorted((each for each in found if each.what == "spike"), key=lambda each: -each.dex)
    return [*spiked, *(each for each in found if each.what != "spike")][:MOST]


def _message(found: list[Incident], whole: np.ndarray, arm: str) -> str:
    """Say how often it spiked, and the largest spike; first, where it is no number at all."""
    spiked = [each for each in found if each.what == "spike"]
    name = f"{arm}: " if arm else ""
    broken = int((~np.isfinite(whole)).sum())
    if broken:
        return f"{name}no finite gradient at {broken:,} of {len(whole):,} recorded steps"
    if not spiked:
        return f"{name}no spike: the whole gradient stays in its own band"
    top = max(spiked, key=lambda each: each.dex)
    count = "1 spike" if len(spiked) == 1 else f"{len(spiked)} spikes, the largest"
    return (
        f"{name}{count} at step {top.step:,}, {10**top.dex:.3g} times the usual, most at layer "
        f"{top.layer}"
    )
