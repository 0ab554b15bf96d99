"""The data set of a two-dimensional experiment."""

from __future__ import annotations

from typing import Any

import numpy as np

from undertow.numerals import counted
from undertow.show.figure import Kind, Traces
from undertow.show.theme import CLASS_COLOURS, CLASS_SHAPES, alt, finish_chart, inline
from undertow.trace.record import Trace

NEEDS = ("data_inputs", "data_targets", "data_test")
_MOST = 1000


def data(traces: Traces) -> Any:
    """Draw the samples: class by colour and shape, hollow where they test.

    >>> import xarray
    >>> points = {"data_inputs": np.eye(4)[:, :2], "data_targets": np.array([0, 1, 0, 1])}
    >>> points["data_test"] = np.array([0, 0, 1, 1])
    >>> data({"points": Trace(xarray.Dataset(), artefacts=points)}).title.text
    ['The data: 2 classes, 2 samples to train on, 2 to test with']
    """
    rows = samples(next(iter(traces.values())), _MOST)
    domain = sorted({row["class"] for row in rows})
    tested = sum(row["set"] == "test" for row in rows)
    sets = ["training", "test"]
    trained = alt.Scale(domain=sets, range=[1.0, 0.0])
    chart = (
        alt.Chart(inline(rows))
        .mark_point(size=42, strokeWidth=1.5)
        .encode(
            x=alt.X(
                "x:Q",
                title="input 1 (no unit)",
                scale=alt.Scale(zero=False),
                axis=alt.Axis(tickCount=7),
            ),
            y=alt.Y("y:Q", title="input 2 (no unit)", scale=alt.Scale(zero=False)),
            color=colour(domain),
            shape=shape(domain),
            fill=alt.Fill("class:N", title="class", scale=colour_scale(domain)),
            fillOpacity=alt.FillOpacity("set:N", scale=trained, legend=None),
            tooltip=["class:N", "set:N", alt.Tooltip("x:Q"), alt.Tooltip("y:Q")],
        )
        .properties(width=520, height=320)
    )
    return finish_chart(
        chart,
        f"The data: {counted(len(domain), 'class').replace('classs', 'classes')}, "
        f"{len(rows) - tested} samples to train on, {tested} to test with",
        "Colour and shape are the class. Filled marks train the network, hollow ones test it.",
        f"Scatter chart of {counted(len(rows), 'sample')} in the plane of the two inputs: "
        f"{len(domain)} classes, {tested} of the samples for testing.",
        width=600,
    )


DATA = Kind("data", (), NEEDS, data)


def samples(trace: Trace, most: int) -> list[dict[str, Any]]:
    """Return so many samples at most, evenly taken from the data set."""
    inputs, targets, tested = (trace.artefacts[name] for name in NEEDS)
    chosen = np.unique(np.linspace(0, len(inputs) - 1, min(most, len(inputs))).astype(int))
    return [
        {
            "x": round(float(inputs[place, 0]), 4),
            "y": round(float(inputs[place, 1]), 4),
            "class": f"class {int(targets[place])}",
            "set": "test" if tested[place] else "training",
        }
        for place in chosen
    ]


def colour_scale(domain: list[str]) -> Any:
    """Return the colours of the classes."""
    colours = [CLASS_COLOURS[place % len(CLASS_COLOURS)] for place in range(len(domain))]
    return alt.Scale(domain=domain, range=colours)


def colour(domain: list[str]) -> Any:
    """Return the colour of a class, with its legend."""
    return alt.Color("class:N", title="class", scale=colour_scale(domain))


def shape(domain: list[str], legend: Any = None) -> Any:
    """Return the shape of a class."""
    shapes = [CLASS_SHAPES[place % len(CLASS_SHAPES)] for place in range(len(domain))]
    scale = alt.Scale(domain=domain, range=shapes)
    return alt.Shape("class:N", title="class", scale=scale, legend=legend or alt.Legend())
