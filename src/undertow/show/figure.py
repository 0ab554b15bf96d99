"""Figure: a chart with its words, and what it needs of a trace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from undertow.trace.record import Trace

Traces = Mapping[str, Trace]


class Figure(NamedTuple):
    """A chart and the words that go with it, for a page that sets them as text.

    >>> import numpy as np, undertow as ut
    >>> from undertow.show.figures.profile_over_time import profile_over_time
    >>> net = ut.NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid")
    >>> profile_over_time({"sigmoid": ut.predict(net, np.eye(2))}).title
    'At step 1 layer 1 gets 1/430,000 of the delta of layer 10'
    """

    name: str
    title: str
    how_to_read: str
    alt: str
    chart: Any


class Kind(NamedTuple):
    """A figure that can be drawn from any traces that hold what it needs."""

    name: str
    variables: tuple[str, ...]
    artefacts: tuple[str, ...]
    draw: Callable[[Traces], Any]


def figure(name: str, chart: Any) -> Figure:
    """Read a chart's words back from it.

    >>> from undertow.show.theme import alt, finish_chart, inline
    >>> dot = alt.Chart(inline([{"x": 1}])).mark_point()
    >>> found = figure("dot", finish_chart(dot, "One dot", "It is at 1.", "A dot.", width=200))
    >>> found.title, found.how_to_read, found.alt
    ('One dot', 'It is at 1.', 'A dot.')
    """
    return Figure(
        name,
        " ".join(chart.title.text),
        " ".join(chart.title.subtitle),
        chart.description,
        chart,
    )


def lacking(kind: Kind, trace: Trace) -> list[str]:
    """Name what a trace lacks for a kind of figure.

    >>> import xarray
    >>> kind = Kind("accuracy", ("loss", "test_accuracy"), ("decision_grid",), draw=len)
    >>> lacking(kind, Trace(xarray.Dataset({"loss": (("replicate", "step"), [[0.7, 0.4]])})))
    ['test_accuracy', 'decision_grid']

    A variable without one number in it lacks as well, unless the run is known to have diverged.
    """
    diverged = "nonfinite" in trace.dataset and bool((trace.dataset["nonfinite"] > 0).any())
    variables = [
        name
        for name in kind.variables
        if name not in trace.dataset or (bool(trace.dataset[name].isnull().all()) and not diverged)
    ]
    return variables + [name for name in kind.artefacts if name not in trace.artefacts]
