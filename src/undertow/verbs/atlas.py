"""What `undertow atlas` does: train a map, say what it shows, write its page."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from undertow.errors import needs
from undertow.trace.store.reader import open as open_store
from undertow.verbs.documents import AtlasCellDocument, AtlasDocument


def atlas(
    activation: str,
    *,
    networks: int | None,
    store: str,
    report: str | None,
    fresh: bool,
    command: str,
) -> AtlasDocument:
    """Train the map of an activation; return its JSON document, with its sentence as `summary`.

    >>> asked = {"store": "", "report": None, "fresh": False, "command": ""}
    >>> atlas("softplus", networks=1, **asked)
    Traceback (most recent call last):
    ...
    undertow.errors.UnknownName: unknown activation with a map 'softplus': Allowed: tanh, ...
    """
    needs("torch", "lab")
    needs("altair", "show")
    from undertow.data.dataset import load
    from undertow.show.figures.atlas import Square
    from undertow.show.figures.atlas import atlas as drawn
    from undertow.studies import atlas as maps

    rows = maps.plan(activation, maps.NETWORKS if networks is None else networks)
    data, began, trained = load(maps.DATA), time.perf_counter(), 0
    with open_store(store, create=True) as opened, _progress(rows) as advance:

        def progress(row: Any, count: int) -> None:
            nonlocal trained
            trained += count
            advance(row)

        cells = maps.run(rows, data, opened, fresh=fresh, progress=progress)
    figure = drawn(
        activation,
        rows[0].bias_variance,
        [Square(cell.depth, cell.weight_variance, cell.trained_fraction) for cell in cells],
    )
    document: AtlasDocument = {
        "activation": activation,
        "networks": trained,
        "seconds": time.perf_counter() - began,
        "cells": [AtlasCellDocument(**cell._asdict()) for cell in cells],
        "summary": f"{figure.title}.",
        "store": store,
        "report": report,
    }
    if report:
        from undertow.show.report import atlas_page

        atlas_page.write(report, document, figure, method=_method(rows), command=command)
    return document


def _method(rows: Sequence[Any]) -> str:
    from undertow.studies import atlas as maps

    first, training = rows[0], maps.TRAINING
    total = sum(len(row.seeds) for row in rows)
    return (
        f"{total:,} networks: {len(rows)} depths from {first.depth} to {rows[-1].depth} hidden "
        f"layers of {maps.WIDTH} units, {len(first.variances)} weight variances from "
        f"{first.variances[0]:.3g} to {first.variances[-1]:.3g} (fan_in times Var W), bias "
        f"variance {first.bias_variance:g}, seeds 0 to {first.replicates - 1} in every cell. Each "
        f"is trained on two moons for {training.epochs} epochs, batches of {training.batch_size}, "
        f"with Adam at {training.learning_rate:g}; the loss is binary cross-entropy."
    )


@contextmanager
def _progress(rows: Sequence[Any]) -> Iterator[Callable[[Any], None]]:
    """Show progress on a terminal; show none when piped."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    total = sum(len(row.seeds) for row in rows)
    line = f"{rows[0].activation}: {total:,} networks of {rows[0].depth} to {rows[-1].depth} layers"
    print(line, file=sys.stderr)
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        # What a row costs grows with its depth.
        task = bar.add_task(rows[0].activation, total=sum(row.depth for row in rows))
        yield lambda row: bar.advance(task, row.depth)
