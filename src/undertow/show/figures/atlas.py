"""The trainability map: which networks train, over depth and weight variance, and what theory says.

Theory's curve is 6 xi_c, how deep a plain network trains whose correlations settle within xi_c
layers: Schoenholz et al. (2017), doi:10.48550/arXiv.1611.01232.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from undertow.errors import NoCriticalPoint
from undertow.show.figure import Figure, figure
from undertow.show.theme import INK, alt, finish_chart, inline
from undertow.theory.signal.critical import critical
from undertow.theory.signal.maps import fixed_point

WIDTH, HEIGHT = 520, 380
POINTS = 161  # of theory's curve
HALF = 0.5


class Square(NamedTuple):
    """A cell of the map, as it is drawn.

    >>> cells = [Square(10, 2.0, trained_fraction=0.9), Square(40, 2.0, trained_fraction=0.6)]
    >>> atlas("relu", 0.0, cells).title
    'Half of the relu networks train down to 40 layers at a weight variance of 2; the edge of ...'
    """

    depth: int
    weight_variance: float
    trained_fraction: float


def atlas(activation: str, bias_variance: float, cells: Sequence[Square]) -> Figure:
    """Draw the map of an activation, with theory's trainable depth and the critical variance.

    >>> variances = 1.0, 2.0, 4.0
    >>> cells = [Square(depth, at, float(at == 2)) for depth in (10, 40) for at in variances]
    >>> for sentence in atlas("relu", 0.0, cells).title.split("; "):
    ...     print(sentence)
    Half of the relu networks train down to 40 layers at a weight variance of 2
    the edge of chaos is 2
    """
    depths = sorted({cell.depth for cell in cells})
    variances = sorted({cell.weight_variance for cell in cells})
    columns, lines = np.exp(_edges(np.log(variances))), _edges(np.array(depths, float))
    across = dict(zip(variances, pairwise(columns.tolist()), strict=True))
    upward = dict(zip(depths, pairwise(lines.tolist()), strict=True))
    rows = [
        {
            "trained": cell.trained_fraction,
            "left": across[cell.weight_variance][0],
            "right": across[cell.weight_variance][1],
            "bottom": upward[cell.depth][0],
            "top": upward[cell.depth][1],
            "depth": cell.depth,
            "variance": cell.weight_variance,
        }
        for cell in cells
    ]
    edges = (float(columns[0]), float(columns[-1]), float(lines[0]), float(lines[-1]))
    message = _message(activation, bias_variance, cells)
    reads = (
        "Each cell is some networks of one depth and weight variance: yellow, all have trained; "
        "dark blue, none has. Trained means a test accuracy nearer to 1 than to naming one class "
        "for all. The line is how deep theory says that networks train, six times the depth in "
        "which two inputs' correlation settles; the dashed rule is the edge of chaos, where that "
        "has no end."
    )
    alt_text = (
        f"Heat map of the share of {activation} networks that train, by depth and weight variance, "
        f"with theory's depth scale and the critical variance. {message}."
    )
    chart = finish_chart(
        alt.layer(*_layers(rows, activation, bias_variance, edges)).properties(
            width=WIDTH, height=HEIGHT
        ),
        message,
        reads,
        alt_text,
        width=WIDTH,
    )
    return figure("atlas", chart)


def _layers(
    rows: list[dict[str, Any]],
    activation: str,
    bias_variance: float,
    edges: tuple[float, float, float, float],
) -> list[Any]:
    left, right, bottom, top = edges
    across = alt.Scale(type="log", domain=[left, right], nice=False)
    upward = alt.Scale(domain=[bottom, top], nice=False, zero=False)
    x = alt.X(
        "left:Q",
        title="weight variance, fan_in Var W",
        scale=across,
        axis=alt.Axis(grid=False, format="~g", tickCount=6),
    )
    y = alt.Y(
        "bottom:Q",
        title="depth, hidden layers",
        scale=upward,
        axis=alt.Axis(grid=False, tickCount=6, format="d"),
    )
    colour = alt.Color(
        "trained:Q",
        title="share of networks that trained",
        scale=alt.Scale(scheme="cividis", domain=[0, 1]),
        legend=alt.Legend(
            orient="top", gradientLength=260, format=".0%", tickCount=5, titleLimit=400
        ),
    )
    cells = (
        alt.Chart(inline(rows))
        .mark_rect()
        .encode(
            x=x,
            x2="right:Q",
            y=y,
            y2="top:Q",
            color=colour,
            tooltip=[
                "depth:Q",
                alt.Tooltip("variance:Q", title="weight variance", format=".3g"),
                alt.Tooltip("trained:Q", title="trained", format=".0%"),
            ],
        )
    )
    # A white line under the dark one: readable on yellow and on blue.
    line = alt.Chart(inline(_theory(activation, bias_variance, edges)))
    at = {"x": alt.X("left:Q", scale=across), "y": alt.Y("bottom:Q", scale=upward)}
    found = [
        cells,
        line.mark_line(color="white", strokeWidth=4.5, clip=True).encode(**at, detail="part:N"),
        line.mark_line(color=INK, strokeWidth=2, clip=True).encode(**at, detail="part:N"),
    ]
    middle = _critical(activation, bias_variance)
    if middle is not None and left < middle < right:
        rule = alt.Chart(inline([{"left": middle}]))
        there = {"x": alt.X("left:Q", scale=across)}
        found += [
            rule.mark_rule(color="white", strokeWidth=4).encode(**there),
            rule.mark_rule(color=INK, strokeWidth=1.6, strokeDash=[5, 4]).encode(**there),
        ]
    return found


def _theory(
    activation: str, bias_variance: float, edges: tuple[float, float, float, float]
) -> list[dict[str, Any]]:
    """Return 6 xi_c along the map's variances, in the parts left and right of the critical one."""
    left, right, _, top = edges
    middle = _critical(activation, bias_variance)
    rows = []
    for variance in np.geomspace(left, right, POINTS):
        depth = fixed_point(activation, float(variance), bias_variance).trainable_depth
        rows.append(
            {
                "left": float(variance),
                "bottom": float(min(depth, 2 * top)),
                "part": "ordered" if middle is None or variance < middle else "chaotic",
            }
        )
    return rows


def _critical(activation: str, bias_variance: float) -> float | None:
    try:
        return critical(activation, bias_variance).weight_variance
    except NoCriticalPoint:
        return None


def _edges(middles: np.ndarray) -> np.ndarray:
    """Return the edges of cells with these middles: half-way, and as far beyond the ends."""
    if len(middles) == 1:
        return np.array([middles[0] - HALF, middles[0] + HALF])
    between = (middles[:-1] + middles[1:]) / 2
    return np.concatenate([[2 * middles[0] - between[0]], between, [2 * middles[-1] - between[-1]]])


def _message(activation: str, bias_variance: float, cells: Sequence[Square]) -> str:
    """Say at which variance the deepest networks train, and where the critical one is."""
    deepest: dict[float, int] = {}
    for cell in cells:
        if cell.trained_fraction >= HALF:
            reached = deepest.get(cell.weight_variance, 0)
            deepest[cell.weight_variance] = max(reached, cell.depth)
    if not deepest:
        return f"Of {activation} networks half train nowhere on this map"
    best = max(deepest, key=lambda variance: deepest[variance])
    alike = sorted(each for each in deepest if deepest[each] == deepest[best])
    where = f"{alike[0]:.3g}" + (f" to {alike[-1]:.3g}" if len(alike) > 1 else "")
    middle = _critical(activation, bias_variance)
    edge = f"; the edge of chaos is {middle:.3g}" if middle is not None else ""
    return (
        f"Half of the {activation} networks train down to {deepest[best]} layers at a weight "
        f"variance of {where}{edge}"
    )
