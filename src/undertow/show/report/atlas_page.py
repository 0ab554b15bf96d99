"""The page of a trainability map: the figure, how it was made, and every number of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from undertow import files
from undertow.errors import UndertowError, needs
from undertow.show.figure import Figure
from undertow.show.report import page as report


def write(
    path: str | Path, document: Mapping[str, Any], figure: Figure, *, method: str, command: str
) -> None:
    """Write the page, whole or not at all; `document` is what `undertow atlas --json` prints.

    >>> import re, tempfile
    >>> from undertow.show.figures.atlas import Square, atlas
    >>> cell = {"depth": 10, "weight_variance": 2.0, "trained_fraction": 1.0}
    >>> document = {"activation": "relu", "cells": [cell | {"replicates": 8}]}
    >>> drawn = atlas("relu", 0.0, [Square(**cell)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "atlas.html")
    ...     write(path, document, drawn, method="8 networks a cell", command="undertow atlas relu")
    ...     re.findall(r"<h[12]>([A-Z].*?)</h[12]>", path.read_text())
    ['Which relu networks train', 'Method', 'The numbers', 'Again']

    Raises
    ------
    UndertowError
        The file cannot be written.
    """
    path = Path(path)
    try:
        files.write(path, page(document, figure, method=method, command=command).encode())
    except OSError as error:
        raise UndertowError(
            f"cannot write the report {path}: {error.strerror}. Name a file with --report"
        ) from None


def page(document: Mapping[str, Any], figure: Figure, *, method: str, command: str) -> str:
    """Return the page as HTML, which opens without a network."""
    jinja2 = needs("jinja2", "show")
    safe = needs("markupsafe", "show").Markup
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    cells = document["cells"]
    variances = sorted({cell["weight_variance"] for cell in cells})
    share = {(cell["depth"], cell["weight_variance"]): cell["trained_fraction"] for cell in cells}
    depths = sorted({cell["depth"] for cell in cells})
    scripts = {"bundle": report.bundle(), "script": report.asset("report.js")}
    return environment.from_string(report.asset("atlas.html.jinja")).render(
        title=f"Which {document['activation']} networks train",
        policy=report.policy(scripts.values()),
        style=safe(report.asset("report.css")),
        figure=figure,
        specification=safe(report.script_safe(report.specification(figure))),
        method=method,
        variances=[f"{variance:.3g}" for variance in variances],
        rows=[
            (depth, [f"{share[depth, variance]:.2f}" for variance in variances]) for depth in depths
        ],
        replicates=cells[0]["replicates"],
        command=command,
        **{name: safe(text) for name, text in scripts.items()},
    )
