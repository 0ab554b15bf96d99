"""The table of a prediction for the terminal, with a bar a layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from undertow.numerals import number
from undertow.show.terminal.cells import new_table

if TYPE_CHECKING:
    from rich.table import Table

BAR = 30  # characters of the longest bar


def prediction(document: Mapping[str, Any]) -> Table:
    """Return the table of a prediction, with a bar a layer.

    >>> from rich.console import Console
    >>> layer = {"depth": 1, "log10_grad_norm": -2.1, "log10_delta_norm": -2.0, "sd_dex": 0.3}
    >>> output = layer | {"depth": 2, "log10_grad_norm": -0.5, "log10_delta_norm": -0.9}
    >>> found = {"layers": [layer, output], "total_dex": -1.1, "caution": None}
    >>> Console(width=80).print(prediction(found))  # doctest: +NORMALIZE_WHITESPACE
    Gradient that theory expects, before training
    layer  log10 |dE/dW|   sd log10 |dE/dz|
    ──────────────────────────────────────────────────────────────────────
    1              -2.10 0.30         -2.00 █
    output         -0.50 0.30         -0.90 ██████████████████████████████
    root mean squares over initialisations, in dex (powers of ten); sd is ...
    """
    table = new_table("Gradient that theory expects, before training", "layer", "log10 |dE/dW|")
    for column in ("sd", "log10 |dE/dz|"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    layers = document["layers"]
    known = [layer["log10_grad_norm"] for layer in layers if layer["log10_grad_norm"] is not None]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    for layer in layers:
        value = layer["log10_grad_norm"]
        share = 0.0 if value is None else (value - low) / max(high - low, 1.0)
        table.add_row(
            "output" if layer is layers[-1] else str(layer["depth"]),
            number(value, "+.2f"),
            number(layer["sd_dex"], ".2f"),
            number(layer["log10_delta_norm"], "+.2f"),
            "" if value is None else "█" * (1 + round(share * (BAR - 1))),
        )
    table.caption = (
        "root mean squares over initialisations, in dex (powers of ten); sd is the scatter of one "
        f"network's log10 |dE/dW|. From the last hidden layer to the first delta, dE/dz, changes "
        f"by {number(document['total_dex'], '+.2f')} dex."
        + (f" Caution: {document['caution']}." if document["caution"] else "")
    )
    return table
