"""The figures of lessons 1 to 3 and 5: a waterfall, decades against depth, a profile.

Blue is measured, black is theory, the hollow diamond is the reader's own guess.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from support.trials import Measured, profile_of_theory
from undertow.numerals import share_of
from undertow.show import layer_profile
from undertow.show.figure import Figure, figure
from undertow.show.figures.waterfall import causes
from undertow.show.theme import BAND, INK, MEASURED, QUIET, THEORY, alt, finish_chart, inline
from undertow.trace import readings

HEIGHT = 360
GUESS = "your guess"


def guess_mark(at: Mapping[str, float], x: Any, y: Any, words: str = GUESS, **text: Any) -> Any:
    """Draw a guess: a hollow diamond and its name."""
    base = alt.Chart(inline([{**at, "said": words}]))
    return alt.layer(
        base.mark_point(
            shape="diamond", size=190, stroke=INK, strokeWidth=2.2, fill="white", opacity=1
        ).encode(x=x, y=y),
        base.mark_text(
            **{"align": "left", "dx": 12, "fontSize": 14, "fontStyle": "italic", **text},
            color=INK,
        ).encode(x=x, y=y, text="said:N"),
    )


def waterfall(found: Measured, depth: int, guess: float | None) -> Figure:
    """Draw where the decades between the last hidden layer and the first went, cause by cause."""
    assert found.budget is not None
    rows = causes(found.budget)
    marks = [("theory", found.theory)] if found.theory is not None else []
    marks += [(GUESS, -abs(guess))] if guess is not None else []
    said = [*((row["name"], row["dex"]) for row in rows), *marks]
    labels = {name: f"{name}  {dex:+.2f}" for name, dex in said}
    ends = [0.0, *(row[edge] for row in rows for edge in ("low", "high"))]
    ends += [dex for _, dex in marks]
    room = 0.04 * (max(ends) - min(ends))
    scale = alt.Scale(domain=[min(ends) - room, max(ends) + room], nice=False)
    axis = alt.Axis(title="change of log10 delta (dex)", titleAnchor="end", tickCount=7)
    x, at = (alt.X(f"{name}:Q", scale=scale, axis=axis) for name in ("low", "dex"))
    y = alt.Y(
        "label:N",
        sort=list(labels.values()),
        title=None,
        axis=alt.Axis(labelLimit=190, ticks=False, domain=False),
    )
    fill = alt.condition(
        "datum.is_total",
        alt.value(INK),
        alt.Fill(
            "way:N",
            scale=alt.Scale(domain=["lost", "gained"], range=[MEASURED, "white"]),
            legend=alt.Legend(title=None, orient="top", direction="horizontal"),
        ),
    )
    bars = alt.Chart(inline([{**row, "label": labels[row["name"]]} for row in rows]))
    layers = [
        alt.Chart(inline([{"dex": 0}])).mark_rule(color=BAND).encode(x=at),
        bars.mark_bar(stroke=MEASURED, strokeWidth=1.5, height=20).encode(
            x=x,
            x2="high:Q",
            y=y,
            fill=fill,
            tooltip=["name:N", alt.Tooltip("dex:Q", format="+.3f")],
        ),
        *(
            guess_mark({"label": labels[name], "dex": dex}, at, y, "")
            if name == GUESS
            else alt.Chart(inline([{"label": labels[name], "dex": dex}]))
            .mark_tick(color=THEORY, thickness=4, size=24)
            .encode(x=at, y=y)
            for name, dex in marks
        ),
    ]
    largest = min(rows[:-1], key=lambda row: row["dex"])
    message = (
        f"Layer 1 gets {share_of(10**found.total)} the delta of layer {depth}: "
        f"{found.total:+.1f} dex, of which {largest['name']} {largest['said']}"
    )
    chart = finish_chart(
        alt.layer(*layers).properties(height=32 * len(labels)),
        message,
        "Read downwards: each bar begins where the one above ends, and the black one is their sum, "
        "the mean of 8 networks. A filled bar loses powers of ten, a hollow one gains them. "
        "Ceiling: the largest slope an activation has. Saturation: how far the slopes stay below "
        "it. Weight scale: 0 at variance 1 / fan_in. Alignment and covariance: whether the "
        "gradient meets strong weights and steep slopes. Theory: what was expected before the "
        "pass. Your guess was for ten layers and the weights as they are.",
        f"Waterfall by cause, {depth} layers: {'; '.join(labels.values())} dex.",
    )
    return figure("lesson-1", chart)


def depth_curve(
    found: Measured, activation: str, theory: Sequence[float], guess: float | None
) -> Figure:
    """Draw what each layer's delta has lost when it arrives at layer 1, against the layer.

    `theory` holds the decades of 1, 2, ... layers; the straight line is drawn through its first
    ten.
    """
    log = np.log10(readings.values(found.trace, "delta_norm")[:, 0, :-1].astype(np.float64))
    lost = log[:, :1] - log  # [R, layers]
    depth = lost.shape[1]
    layers = np.arange(1, len(theory) + 1)
    line = theory[9] / 9 * (layers - 1)
    low = min(float(line.min()), float(lost.min()), -abs(guess or 0), *theory) * 1.06
    scale = alt.Scale(domain=[low, max(0.3, float(lost.max()))], nice=False)
    y_title = "log10 |delta_1| / |delta_L| (dex)"
    x = alt.X(
        "layer:Q",
        title="hidden layers L",
        scale=alt.Scale(domain=[1, len(theory)], nice=False),
        axis=alt.Axis(grid=False, values=[1, *range(10, len(theory) + 1, 10)], format="d"),
    )
    y = alt.Y("dex:Q", title=y_title, scale=scale, axis=alt.Axis(tickCount=6))

    def rows(values: Any, **more: Any) -> list[dict[str, Any]]:
        return [
            {"layer": place, "dex": float(value), **more}
            for place, value in enumerate(values, start=1)
        ]

    seeds = [row for seed, values in enumerate(lost) for row in rows(values, seed=seed)]
    middle = rows(np.median(lost, 0))
    words = [
        {"layer": len(theory), "dex": float(line[-1]), "said": "a line through the first ten"},
        {"layer": len(theory), "dex": theory[-1], "said": "theory"},
    ]
    shown = [
        alt.Chart(inline(rows(line)))
        .mark_line(color=BAND, strokeDash=[6, 4], strokeWidth=2)
        .encode(x=x, y=y),
        alt.Chart(inline(rows(theory))).mark_line(color=THEORY, strokeWidth=2).encode(x=x, y=y),
        alt.Chart(inline(seeds))
        .mark_line(color=MEASURED, strokeWidth=0.8, opacity=0.4)
        .encode(x=x, y=y, detail="seed:N"),
        alt.Chart(inline(middle))
        .mark_line(
            color=MEASURED, strokeWidth=2.6, point=alt.OverlayMarkDef(color=MEASURED, size=30)
        )
        .encode(x=x, y=y),
        alt.Chart(inline(words))
        .mark_text(align="right", baseline="top", dx=-6, dy=6, fontSize=14, color=QUIET)
        .encode(x=x, y=y, text="said:N"),
    ]
    if guess is not None:
        at = {"layer": len(theory), "dex": -abs(guess)}
        shown.append(guess_mark(at, x, y, align="right", dx=-14))
    straight = abs(line[-1] - theory[-1]) < 0.1 * abs(theory[-1])
    message = (
        f"{depth} {activation} layers: {found.total:+.2f} dex measured, {theory[depth - 1]:+.2f} "
        f"in theory; {'a line' if straight else 'no line: the gain itself moves'}"
    )
    chart = finish_chart(
        alt.layer(*shown).properties(height=HEIGHT),
        message,
        "Each point is a layer of the measured stack: by how many decades its delta is larger "
        "than what arrives at layer 1. Thick: the median of 8 networks of 64 units; thin: each of "
        "them. Black: theory for infinite width, inputs of size 1. Dashed: what the first ten "
        "layers cost on average, drawn on. Equal gains make a straight line, for their logarithms "
        "add.",
        f"Decades lost against depth, {activation}: measured {found.total:+.2f} dex over {depth} "
        f"layers; theory {theory[-1]:+.2f} over {len(theory)}, a straight line {line[-1]:+.2f}.",
    )
    return figure("lesson-2", chart)


def profile(
    found: Measured,
    title: str,
    *,
    guess: float | None = None,
    line: tuple[str, float] | None = None,
    domain: tuple[float, float] | None = None,
) -> Figure:
    """Draw delta over that of the last hidden layer, layer by layer, the input at the bottom.

    `line` is a name and the dex a layer of a straight line to compare with.
    """
    depth = found.trace.dataset.sizes["layer"] - 1
    seeds, middle = layer_profile.profile(found.trace, layer_profile.RELATIVE)
    foretold = profile_of_theory(found.trace)
    band = [
        row
        for row in layer_profile.theory(found.trace, layer_profile.RELATIVE)
        if row["layer"] <= depth
    ]
    seeds = [row for row in seeds if row["layer"] <= depth]
    middle = [row for row in middle if row["layer"] <= depth and row["kind"] == "finite"]
    ends = [row["dex"] for row in (*seeds, *middle)] + [0.5, -0.5]
    ends += [row[edge] for row in band for edge in ("low", "high") if row[edge] is not None]
    ends += [guess] if guess is not None else []
    ends += [line[1] * (depth - 1)] if line else []
    span = list(domain or (float(np.floor(min(ends))), float(np.ceil(max(ends)))))
    scale = alt.Scale(domain=span, nice=False, clamp=True)
    x = alt.X(
        "dex:Q",
        title="|delta| over that of the last hidden layer (dex)",
        scale=scale,
        axis=alt.Axis(format="+d", tickMinStep=1, tickCount=8),
    )
    y = alt.Y(
        "layer:Q",
        title="layer",
        scale=alt.Scale(domain=[0.5, depth + 0.5], nice=False, zero=False),
        axis=alt.Axis(grid=False, values=[1, *range(5, depth + 1, 5 if depth <= 20 else 10)]),
    )
    shown = [alt.Chart(inline([{"dex": 0}])).mark_rule(color=BAND).encode(x=x)]
    banded = [row for row in band if row["low"] is not None]
    if banded:
        area = alt.Chart(inline(banded)).mark_area(orient="horizontal", color=BAND, opacity=0.25)
        shown.append(area.encode(y=y, x=alt.X("low:Q", scale=scale), x2="high:Q"))
    if line:
        shown += _line(line, depth, x, y)
    shown.append(
        alt.Chart(inline(seeds))
        .mark_line(orient="horizontal", color=MEASURED, strokeWidth=0.8, opacity=0.45)
        .encode(x=x, y=y, order="layer:Q", detail="seed:N")
    )
    shown.append(
        alt.Chart(inline(middle))
        .mark_line(
            orient="horizontal",
            color=MEASURED,
            strokeWidth=2.8,
            point=alt.OverlayMarkDef(color=MEASURED, size=30),
        )
        .encode(x=x, y=y, order="layer:Q")
    )
    if foretold is not None:
        rows = [{"layer": place, "dex": float(dex)} for place, dex in enumerate(foretold, start=1)]
        dotted = alt.Chart(inline(rows)).mark_line(
            orient="horizontal", color=THEORY, strokeDash=[2, 3], strokeWidth=2
        )
        shown.append(dotted.encode(x=x, y=y, order="layer:Q"))
    if guess is not None:
        side = {"align": "right", "dx": -14} if guess > sum(span) / 2 else {}
        shown.append(guess_mark({"dex": guess, "layer": 1}, x, y, **side))
    chart = finish_chart(
        alt.layer(*shown).properties(height=HEIGHT),
        title,
        "The gradient starts at the top, at the loss, and walks down to the input. Thick: the "
        "median of 8 networks; thin: each of them. Dotted: what theory expects"
        + (", with its band of two standard deviations" if banded else "")
        + ". Upright is healthy; a line that leans to the left towards the input vanishes, to the "
        "right it explodes. One dex is a factor of ten." + (f" Dashed: {line[0]}." if line else ""),
        f"Profile of delta over {depth} layers, the input at the bottom: measured "
        f"{found.total:+.2f} dex"
        + (f", theory {found.theory:+.2f} dex" if found.theory is not None else "")
        + (f", your guess {guess:+.1f} dex." if guess is not None else "."),
    )
    return figure("profile", chart)


def _line(line: tuple[str, float], depth: int, x: Any, y: Any) -> list[Any]:
    name, slope = line
    rows = [{"layer": layer, "dex": slope * (depth - layer)} for layer in (1, depth)]
    words = [{"layer": 0.62 * depth, "dex": slope * 0.38 * depth, "said": name}]
    return [
        alt.Chart(inline(rows))
        .mark_line(orient="horizontal", color=BAND, strokeDash=[6, 4], strokeWidth=2)
        .encode(x=x, y=y, order="layer:Q"),
        alt.Chart(inline(words))
        .mark_text(align="left", dx=14, fontSize=14, color=QUIET)
        .encode(x=x, y=y, text="said:N"),
    ]
