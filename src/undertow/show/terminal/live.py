"""A run while it is written: its newest step as a document, and that document for a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import groupby
from textwrap import wrap
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from undertow import numerals
from undertow.show.terminal import live_table
from undertow.show.terminal.cells import printable
from undertow.show.terminal.live_document import WatchDocument, WatchedLayer
from undertow.trace.readings import values
from undertow.trace.record import Event, Trace

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.text import Text

    from undertow.trace.store.reader import Run

HEIGHTS = "▁▂▃▄▅▆▇█"
EVENTS = 5
LINES = 3 * EVENTS  # of events, where no height bounds them
ROWS = 40  # of the table, where no height bounds it
FEWEST_ROWS = 3
AROUND = 6  # lines of the table's heading and rule, of blanks, and of notes
PER_STEP = ("loss", "learning_rate")


def document(run: Run, trace: Trace, events: Sequence[Event]) -> WatchDocument:
    """Return the newest step of a run's last steps, in numbers; NaN is what was not measured.

    >>> from undertow.trace.record import Chunk, Header, Layer, build
    >>> from undertow.trace.store.reader import Run
    >>> arrays = {"loss": np.array([[0.4]]), "grad_norm": np.array([[[0.1]]])}
    >>> header = Header((Layer("fc", 1, "linear", "relu", 2, 1),), (0,), {})
    >>> trace = build(header, [Chunk(np.array([7]), np.array([1]), arrays)])
    >>> run = Run("net", "net", "running", "2026-11-30", 1, 0, 0.0, "watched", {})
    >>> found = document(run, trace, [])
    >>> found["step"], found["loss"], found["layers"]
    (7, 0.4, [{'name': 'fc', 'kind': 'linear', 'depth': 1, 'grad_norm': 0.1}])

    Of several replicates it is the first that the trace has numbers of. A variable without a number
    in the whole trace is left out, unless gradients were not finite: then it may be NaN. The
    layers' numbers are of `layers_step`, the newest step at which any was measured. `overhead` is
    the share of the time that measuring takes, since the record before or, of a run that has ended
    well, on the whole.
    """
    steps = trace.dataset["step"].values
    replicate = _replicate(trace)
    arrays = _arrays(trace, replicate)
    per_layer = {name: array for name, array in arrays.items() if array.ndim == 2}
    interval = int(steps[-1] - steps[-2]) if len(steps) > 1 else None
    places = np.flatnonzero(sum((~np.isnan(array)).any(1) for array in per_layer.values()))
    found = {
        "run": run.id,
        "name": run.name,
        "source": run.source,
        "state": run.state,
        "replicate": replicate + 1,
        "replicates": run.replicates,
        "step": int(steps[-1]) if len(steps) else None,
        "steps": trace.attributes.get("steps") or None,
        "sampling_interval": interval,
        **{name: float(arrays[name][-1]) for name in PER_STEP if name in arrays},
        **_overhead(run, trace, arrays, interval),
        "layers_step": int(steps[places[-1]]) if len(places) else None,
        "layers": _rows(trace, {name: array[places[-1]] for name, array in per_layer.items()}),
        "events": [event._asdict() for event in events],
    }
    return cast(WatchDocument, found)


def view(
    document: Mapping[str, Any],
    losses: Sequence[float] = (),
    *,
    width: int = 80,
    height: int | None = None,
) -> Group:
    """Draw a document in so many columns and, where there is room for anything, so many lines.

    >>> from rich.console import Console
    >>> head = {"run": "net", "state": "running", "replicate": 1, "replicates": 1, "loss": 0.41}
    >>> layer = {"name": "fc", "kind": "linear", "depth": 1, "grad_norm": 1e-4}
    >>> step = {"step": 12, "steps": 50, "sampling_interval": 1, "layers_step": 12, "events": []}
    >>> found = {**head, **step, "layers": [layer]}
    >>> Console(width=60).print(view(found, [0.7, 0.5, 0.41]))  # doctest: +NORMALIZE_WHITESPACE
    net   running   step 12 of 50   recording every step
    loss 0.41   █▃▁ 0.41 to 0.7
    <BLANKLINE>
                     log10
    layer  kind    |dE/dW|
    ────────────────────────────────────────────────
    fc     linear    -4.00  █
    bars: -4.00 to -3.00

    `losses` are those of evenly spaced steps of the run, for the small curve.
    """
    from rich.console import Group
    from rich.text import Text

    head = heading(document, losses, width)
    foot = event_lines(document["events"], width, LINES if height is None else height // 4)
    body: list[RenderableType] = []
    if document["layers_step"] is not None:
        rows = ROWS
        if height is not None:
            rows = max(FEWEST_ROWS, height - len(head) - len(foot) - AROUND)
        drawn, notes = live_table.table(document["layers"], width, rows)
        if document["layers_step"] != document["step"]:
            notes.insert(0, f"layers as of step {document['layers_step']:,}")
        body = [Text(), drawn, *flow_phrases(notes, width, "dim")]
    return Group(*head, *body, *([Text()] if foot else []), *foot)


def heading(document: Mapping[str, Any], losses: Sequence[float], width: int) -> list[Text]:
    """Return the lines that say which run it is, how far, at what cost, and how it goes."""
    phrases = [printable(document["run"]), document["state"]]
    if document["replicates"] > 1:
        phrases.append(f"replicate {document['replicate']} of {document['replicates']}")
    step, interval = document["step"], document["sampling_interval"]
    of = f" of {document['steps']:,}" if document["steps"] else ""
    phrases.append("no step recorded yet" if step is None else f"step {step:,}{of}")
    if interval is not None:
        phrases.append(
            "recording " + ("every step" if interval == 1 else f"1 step in {interval:,}")
        )
    if "overhead" in document:
        phrases.append(f"overhead {numerals.percent(document['overhead'], 1)}")
    numbers = []
    if "loss" in document:
        broken = any(layer.get("nonfinite", 0) > 0 for layer in document["layers"])
        lost = broken and math.isnan(document["loss"])
        numbers.append(f"loss {'NaN' if lost else numerals.live(document['loss'])}")
        finite = [loss for loss in losses if math.isfinite(loss)]
        if len(finite) > 1:
            numbers.append(
                f"{sparkline(losses)} {numerals.live(min(finite))} to {numerals.live(max(finite))}"
            )
    if "learning_rate" in document:
        numbers.append(f"learning rate {numerals.live(document['learning_rate'])}")
    return flow_phrases(phrases, width, "bold") + flow_phrases(numbers, width)


def event_lines(events: Sequence[Mapping[str, Any]], width: int, most: int) -> list[Text]:
    """Return the last events in at most so many lines; the same again and again is one.

    >>> again = [{"kind": "clipped", "step": step, "layer": None, "detail": ""} for step in (7, 8)]
    >>> [line.plain for line in event_lines(again, 80, 5)]
    ['steps 7 to 8  clipped, 2 times']
    """
    from rich.text import Text

    entries = []
    for (kind, layer), group in groupby(events, lambda event: (event["kind"], event["layer"])):
        alike = list(group)
        first, last = alike[0]["step"], alike[-1]["step"]
        when = f"step {last:,}" if first == last else f"steps {first:,} to {last:,}"
        what = kind if len(alike) == 1 else f"{kind}, {len(alike)} times"
        words = "  ".join(part for part in (when, what, layer, alike[-1]["detail"]) if part)
        entries.append(wrap(printable(words), width, subsequent_indent="    ", max_lines=3))
    entries = entries[-EVENTS:]
    while len(entries) > 1 and sum(map(len, entries)) > most:
        del entries[0]
    return [Text(line, no_wrap=True, overflow="ellipsis") for lines in entries for line in lines]


def sparkline(values: Sequence[float]) -> str:
    """Draw numbers as a row of blocks, the least lowest; what is not a number is a dot.

    >>> sparkline([3.0, 2.0, float("nan"), 1.0]), sparkline([2.0, 2.0])
    ('█▄·▁', '▁▁')
    """
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    scale = (len(HEIGHTS) - 1) / (high - low) if high > low else 0.0
    return "".join(
        HEIGHTS[int((value - low) * scale)] if math.isfinite(value) else numerals.NOT_MEASURED
        for value in values
    )


def flow_phrases(phrases: Sequence[str], width: int, style: str = "") -> list[Text]:
    """Set phrases on lines of so many columns without breaking one that fits.

    >>> [line.plain for line in flow_phrases(["net", "running", "step 12"], 14)]
    ['net   running', 'step 12']
    """
    from rich.cells import cell_len
    from rich.text import Text

    lines: list[str] = []
    for phrase in phrases:
        if lines and cell_len(f"{lines[-1]}   {phrase}") <= width:
            lines[-1] += f"   {phrase}"
        else:
            lines.append(phrase)
    return [Text(line, style=style, no_wrap=True, overflow="ellipsis") for line in lines]


def _rows(trace: Trace, numbers: Mapping[str, np.ndarray]) -> list[WatchedLayer]:
    """Return a row a layer: its name, kind and depth, and its numbers."""
    data = trace.dataset
    columns = {
        "name": data["layer"].values,
        "kind": data["kind"].values,
        "depth": data["depth"].values,
    } | {name: array.astype(float) for name, array in numbers.items()}
    rows = zip(*(array.tolist() for array in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _arrays(trace: Trace, replicate: int) -> dict[str, np.ndarray]:
    """Return what was measured of one replicate, [steps] or [steps, layers]."""
    found = {}
    for name, array in trace.dataset.data_vars.items():
        every = values(trace, str(name))
        found[str(name)] = every[replicate] if "replicate" in array.dims else every
    broken = bool((found.get("nonfinite", np.zeros(1)) > 0).any())
    return {name: array for name, array in found.items() if broken or not np.isnan(array).all()}


def _overhead(
    run: Run, trace: Trace, arrays: Mapping[str, np.ndarray], interval: int | None
) -> dict[str, float]:
    """Return the share of the time that measuring takes, if it is known."""
    if run.state != "running" and trace.attributes.get("overhead"):
        return {"overhead": float(trace.attributes["overhead"])}
    if "overhead" not in arrays:
        return {}
    # What a recorded step costs is shared by those that were not recorded before it.
    return {"overhead": float(arrays["overhead"][-1]) / (interval or 1)}


def _replicate(trace: Trace) -> int:
    """Return the first replicate with a number."""
    known = [
        array.notnull().any([dim for dim in array.dims if dim != "replicate"]).values
        for array in trace.dataset.data_vars.values()
        if "replicate" in array.dims
    ]
    return int(np.argmax(np.any(known, axis=0))) if known else 0
