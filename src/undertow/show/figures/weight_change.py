"""The change of the first layer's weights beside the true gradient: what one says of the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from undertow.numerals import counted, scientific
from undertow.show.axes import decades, log_axis, log_scale
from undertow.show.figure import Kind, Traces
from undertow.show.special_values import GLYPHS, value_kind
from undertow.show.theme import MEASURED, REMEDY, alt, finish_chart, inline
from undertow.statistics.bands import band
from undertow.trace.readings import values

_WIDTH = 270
CHANGE = "change of layer 1's weights (%)"
GRADIENT = "gradient of layer 1 at step 1, |dE/dW| (units of loss)"


def weight_change(traces: Traces) -> Any:
    """Draw the percent change of layer 1's weights beside its true gradient, a row an arm."""
    changes = {arm: trace.artefacts["first_layer_change"][0] for arm, trace in traces.items()}
    gradients = {arm: values(trace, "grad_norm")[:, 0, 0] for arm, trace in traces.items()}
    left = _panel(changes, CHANGE, REMEDY, "square")
    right = _panel(gradients, GRADIENT, MEASURED, "circle")
    return finish_chart(
        alt.concat(left, right, columns=2),
        _message(changes, gradients),
        "Left, the published stand-in for a gradient: how far the weights of layer 1 moved in the "
        "whole training. Right, the gradient itself. Dots are medians, lines hold the middle 90 % "
        "of the replicates. If the stand-in held, both panels would put the arms in one order; "
        "Adam divides each step by the gradient's own size, and so hides it.",
        f"Two dot charts on logarithmic axes with a row for each of {counted(len(traces), 'arm')}: "
        f"left the {CHANGE}, right the {GRADIENT}. {_message(changes, gradients)}.",
        width=2 * _WIDTH + 240,
    )


WEIGHT_CHANGE = Kind(
    "weight-change-or-gradient", ("grad_norm",), ("first_layer_change",), weight_change
)


def _message(changes: dict[str, np.ndarray], gradients: dict[str, np.ndarray]) -> str:
    """Name the two arms whose order the stand-in turns round the most."""
    change = {arm: float(band(part).median) for arm, part in changes.items()}
    gradient = {arm: float(band(part).median) for arm, part in gradients.items()}
    usable = [arm for arm in change if 0 < change[arm] < np.inf and 0 < gradient[arm] < np.inf]
    turned = [
        (gradient[large] / gradient[small], small, large)
        for small in usable
        for large in usable
        if change[small] > change[large] and gradient[small] < gradient[large]
    ]
    if not turned:
        return "Here the change of the weights orders the arms as the gradient does"
    ratio, small, large = max(turned)
    return (
        f"Weight change is no gradient: {small} moves more than {large} on "
        f"{scientific(1 / ratio)} of the gradient"
    )


def _panel(each: dict[str, np.ndarray], title: str, colour: str, shape: str) -> Any:
    rows = []
    for arm, part in each.items():
        low, middle, high = (float(value) for value in band(part))
        rows.append(
            {"arm": arm, "low": low, "value": middle, "high": high, "kind": value_kind(middle)}
        )
    range_ = decades(row[name] for row in rows for name in ("low", "value", "high"))
    for row in rows:
        row["low drawn"], row["high drawn"] = range_.drawn(row["low"]), range_.drawn(row["high"])
        for name in ("low", "value", "high"):
            row[name] = row[name] if np.isfinite(row[name]) else None
    y = alt.Y(
        "arm:N",
        title="arm",
        sort=list(each),
        scale=alt.Scale(domain=list(each)),
        axis=alt.Axis(labelLimit=200, ticks=False, domain=False, grid=True),
    )
    x = alt.X("value:Q", scale=log_scale(range_), axis=log_axis(title, range_, 6))
    base = alt.Chart(inline([row for row in rows if row["kind"] == "finite"]))
    layers = [
        base.mark_rule(color=colour, strokeWidth=3, opacity=0.45).encode(
            x=alt.X("low drawn:Q", title=title), x2="high drawn:Q", y=y
        ),
        base.mark_point(color=colour, shape=shape, filled=True, size=80, opacity=1).encode(
            x=x,
            y=y,
            tooltip=[
                "arm:N",
                *(
                    alt.Tooltip(f"{name}:Q", title=word, format=".2e")
                    for name, word in (("value", "median"), ("low", "5 %"), ("high", "95 %"))
                ),
            ],
        ),
    ]
    for edge, kinds in ((6, ("zero", "underflow")), (_WIDTH - 6, ("nan", "inf"))):
        part = [row | {"mark": GLYPHS[row["kind"]]} for row in rows if row["kind"] in kinds]
        if part:
            layers.append(
                alt.Chart(inline(part))
                .mark_text(color="black", fontSize=13)
                .encode(x=alt.value(edge), y=y, text="mark:N")
            )
    return alt.layer(*layers).properties(width=_WIDTH, height=24 * len(each))
