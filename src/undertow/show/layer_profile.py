"""The gradient's walk down through the layers, as numbers for figures and words for people.

What is shown is the norm of delta or of the weights' gradient, as it is or over that of the last
hidden layer; log10 of it, in dex.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from undertow.numerals import share_of
from undertow.show.axes import time_axis
from undertow.show.figure import Traces
from undertow.show.special_values import GLYPHS, is_diverged, underflowed_layers, value_kind
from undertow.statistics.bands import COLUMNS, band, in_columns, median
from undertow.trace import readings
from undertow.trace.readings import values
from undertow.trace.record import Trace

MOST_DRAWN_SEEDS = 16  # of which single lines are drawn
MOST_CELLS, FEWEST_COLUMNS = 12_000, 8  # of a heat map: a browser draws so many at once
FARTHEST = 60.0  # dex; float32 ends before

Rows = list[dict[str, Any]]


class View(NamedTuple):
    """What is shown: the norm of `delta` or of the weights' gradient, relative or as it is.

    >>> View().title
    '|dE/dz| over that of the last hidden layer (dex)'
    >>> View("grad_norm", relative=False).title
    "log10 |dE/dW| (dex of the loss's unit)"
    """

    variable: str = "delta_norm"
    relative: bool = True

    @property
    def title(self) -> str:
        """Name the axis."""
        norm = "|dE/dz|" if self.variable == "delta_norm" else "|dE/dW|"
        return (
            f"{norm} over that of the last hidden layer (dex)"
            if self.relative
            else (f"log10 {norm} (dex of the loss's unit)")
        )


RELATIVE = View()


def headline(traces: Traces, view: View = RELATIVE) -> str:
    """Say what layer 1 gets of what the last hidden layer gets, in words for each arm."""
    said = []
    for arm, trace in traces.items():
        norms = values(trace, view.variable)[:, 0]
        if norms.shape[1] < 3:
            continue
        place = readings.last_hidden(trace, view.variable)
        one, last = float(band(norms[:, 0]).median), float(band(norms[:, place]).median)
        share = one / last if last > 0 else float("nan")
        what = "delta" if view.variable == "delta_norm" else "weight gradient"
        name = f"{arm}, " if len(traces) > 1 else ""
        said.append(f"{name}layer 1 gets {share_of(share)} the {what} of layer {place + 1}")
    first = "; ".join(said) or "One hidden layer: nothing to compare it with"
    return f"At step 1{':' if len(said) > 1 else ''} {first}" if said else first


def _norms(trace: Trace, view: View) -> np.ndarray:
    """Return [replicates, steps, layers], over the last hidden layer's where that is the view."""
    norms = values(trace, view.variable).astype(np.float64)
    if not view.relative or norms.shape[2] < 2:
        return norms
    with np.errstate(divide="ignore", invalid="ignore"):
        place = readings.last_hidden(trace, view.variable)
        return norms / norms[:, :, place : place + 1]


def _dex(value: float) -> float:
    return float(np.clip(np.log10(value), -FARTHEST, FARTHEST))


def profile(trace: Trace, view: View) -> tuple[Rows, Rows]:
    """Return the newest recorded step: rows of each seed, and of the median."""
    now = _norms(trace, view)[:, -1]
    seeds = [
        {"seed": int(seed), "layer": layer, "dex": round(_dex(value), 3)}
        for seed, row in zip(trace.dataset["seed"].values[:MOST_DRAWN_SEEDS], now, strict=False)
        for layer, value in enumerate(row.tolist(), start=1)
        if 0 < value < np.inf
    ]
    broken, under = is_diverged(trace)[-1], underflowed_layers(trace)
    median = []
    for layer, (name, value) in enumerate(
        zip(trace.dataset["layer"].values, band(now).median.tolist(), strict=True), start=1
    ):
        what = value_kind(
            value, underflowed=bool(under[layer - 1]), diverged=bool(broken[layer - 1])
        )
        dex = round(_dex(value), 3) if what == "finite" else None
        median.append(
            {
                "layer": layer,
                "name": str(name),
                "dex": dex,
                "kind": what,
                "mark": GLYPHS.get(what, ""),
            }
        )
    return seeds, median


def cells(trace: Trace, view: View) -> tuple[Rows, Rows]:
    """Return the heat map's cells, and the places that have no number; none of a single step."""
    norms = _norms(trace, view)
    if norms.shape[1] == 1:
        return [], []
    _, times = time_axis(trace)
    columns = max(FEWEST_COLUMNS, min(COLUMNS, MOST_CELLS // norms.shape[2]))
    reduced = in_columns(band(norms).median, times, columns, decades=True)
    broken = in_columns(is_diverged(trace), times, columns).values > 0
    under = underflowed_layers(trace)
    found, marks = [], []
    for column, (start, end) in enumerate(zip(reduced.first, reduced.last, strict=True)):
        for place in range(norms.shape[2]):
            value = float(reduced.values[column, place])
            what = value_kind(
                value, underflowed=bool(under[place]), diverged=bool(broken[column, place])
            )
            row = {"layer": place + 1, "start": float(start), "end": float(end) + 1, "kind": what}
            if what == "finite":
                found.append({**row, "dex": round(_dex(value), 2)})
            else:
                marks.append({**row, "mark": GLYPHS[what]})
    return found, marks


def theory(trace: Trace, view: View) -> Rows:
    """Return what theory expects of step 1, a row a layer: its middle, and the band where known."""
    known = trace.attributes.get("predicted")
    if not known:
        return []
    middle = np.log10(np.asarray(known[view.variable], dtype=np.float64))
    spread = np.full(len(middle), np.nan)
    if view.relative:
        middle = middle - middle[-2] if len(middle) > 1 else middle
        if view.variable == "delta_norm" and "ratio_sd_dex" in known:
            middle = middle + np.nan_to_num(np.asarray(known["ratio_shift_dex"], dtype=np.float64))
            spread = 2 * np.asarray(known["ratio_sd_dex"], dtype=np.float64)
    elif view.variable == "grad_norm" and "sd_dex" in known:
        middle = middle + np.asarray(known["median_shift_dex"], dtype=np.float64)
        spread = 2 * np.asarray(known["sd_dex"], dtype=np.float64)
    return [
        {
            "layer": place + 1,
            "dex": float(at),
            "low": float(at - wide) if np.isfinite(wide) else None,
            "high": float(at + wide) if np.isfinite(wide) else None,
        }
        for place, (at, wide) in enumerate(zip(middle, spread, strict=True))
        if np.isfinite(at)
    ]


def difference(before: Trace, after: Trace) -> str:
    """Say in one sentence what a change did to the same seeds.

    >>> import xarray
    >>> def trained(delta, accuracy):
    ...     arrays = {"test_accuracy": [[accuracy]], "predicted_share": [[0.5]]}
    ...     arrays = {name: (("replicate", "step"), value) for name, value in arrays.items()}
    ...     arrays["delta_norm"] = (("replicate", "step", "layer"), [[[delta, 1.0, 1.0]]])
    ...     return Trace(xarray.Dataset(arrays, attrs={"larger_test_share": 0.5}))
    >>> difference(trained(1e-6, accuracy=0.5), trained(0.1, accuracy=0.97))
    '1 of 1 stuck → 0 of 1 stuck; -6.0 dex → -1.0 dex; accuracy 0.50 → accuracy 0.97'
    """
    parts = []
    for measure, write in (
        (readings.is_stuck, lambda stuck: f"{int(stuck.sum())} of {len(stuck)} stuck"),
        (lambda trace: readings.total_dex(trace), lambda dex: f"{median(dex):+.1f} dex"),
        (readings.test_accuracy, lambda share: f"accuracy {median(share):.2f}"),
    ):
        one, other = write(measure(before)), write(measure(after))
        parts.append(f"{one} \N{RIGHTWARDS ARROW} {other}")
    return "; ".join(parts)
