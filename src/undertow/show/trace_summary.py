"""A trace in a line and a row a layer: what a terminal and a notebook show of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from undertow.numerals import counted
from undertow.statistics.bands import band
from undertow.trace import readings
from undertow.trace.record import Trace

HEADINGS = ("layer", "kind", "|dE/dW| at first", "at last", "|dE/dz| at first", "at last")
MEANING = "Medians over the replicates, at the first recorded step and in the last epoch."


class LayerRow(NamedTuple):
    """A layer, and the medians of its two norms at both ends; NaN where not measured."""

    name: str
    kind: str
    grad_first: float
    grad_last: float
    delta_first: float
    delta_last: float


def name_of(trace: Trace) -> str:
    """Return what a trace is called among others: its arm, its run's name, or `this run`.

    >>> from undertow.trace.record import Header, Layer, build
    >>> layer = Layer("output", 1, "linear", "linear", 2, 1)
    >>> header = Header((layer,), (0,), {"source": "trained"})
    >>> arm = Header((layer,), (0,), {"source": "trained", "arm": "relu"})
    >>> name_of(build(header, [])), name_of(build(arm, []))
    ('this run', 'relu')
    """
    known = trace.attributes
    return str(known.get("arm") or known.get("name") or "this run")


def headline(trace: Trace) -> str:
    """Say in a line what a trace holds.

    >>> from undertow.trace.record import Chunk, Header, Layer, build
    >>> layer = Layer("output", 1, "linear", "linear", 2, 1)
    >>> header = Header((layer,), (0,), {"source": "trained"})
    >>> chunk = Chunk(np.array([1]), np.array([1]), {"grad_norm": np.ones((1, 1, 1))})
    >>> headline(build(header, [chunk]))
    'Trace, trained: 1 replicate, 1 recorded step, 1 layer'
    """
    sizes = trace.dataset.sizes
    counts = {"replicate": "replicate", "step": "recorded step", "layer": "layer"}
    said = ", ".join(counted(sizes[dim], what) for dim, what in counts.items())
    events = f"; {counted(len(trace.events), 'event')}" if trace.events else ""
    known = trace.attributes
    study = " ".join(str(known[key]) for key in ("experiment", "arm") if known.get(key))
    return f"Trace, {trace.source}{f' ({study})' if study else ''}: {said}{events}"


def rows(trace: Trace) -> list[LayerRow]:
    """Return a row a layer; none before the first recorded step."""
    if not trace.dataset.sizes["step"]:
        return []
    missing = np.full(trace.dataset.sizes["layer"], np.nan)
    columns = []
    for variable in ("grad_norm", "delta_norm"):
        is_there = variable in trace.dataset
        for moment in (readings.first_step, readings.last_epoch):
            columns.append(band(moment(trace, variable))[1] if is_there else missing)
    labels = (trace.dataset[name].values.astype(str).tolist() for name in ("layer", "kind"))
    values = (np.asarray(column, float).tolist() for column in columns)
    return [LayerRow(*row) for row in zip(*labels, *values, strict=True)]
