"""The table of a store's runs for the terminal, as `undertow runs` prints it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from undertow.numerals import number
from undertow.show.terminal.cells import new_table, text

if TYPE_CHECKING:
    from rich.table import Table

    from undertow.trace.store.reader import Run


def runs(found: list[Run], steps: Mapping[str, int | None]) -> Table:
    """Return the table of a store's runs; `steps` has the last recorded step of each.

    >>> from rich.console import Console
    >>> from undertow.trace.store.reader import Run
    >>> when = "2026-11-30T09:00:00"
    >>> run = Run("moons-relu", "relu", "finished", when, 20, 20, 12.3, "trained", {})
    >>> table = runs([run], steps={"moons-relu": 700})
    >>> Console(width=80).print(table)  # doctest: +NORMALIZE_WHITESPACE
    run        state    step  nets seconds created
    ──────────────────────────────────────────────────
    moons-relu finished  700 20/20    12.3 11-30 09:00
    """
    table = new_table(None, "run", "state", "step", "nets", "seconds", "created")
    table.columns[0].no_wrap, table.columns[0].overflow = False, "fold"  # an id is typed whole
    for run in found:
        one = run.source == "watched"
        table.add_row(
            text(run.id),
            run.state,
            # A run that has ended knows of steps after the last recorded one.
            number(max(steps[run.id] or 0, run.attributes.get("steps", 0)) or None, ","),
            "1" if one else f"{run.finished_replicates}/{run.replicates}",
            # How long a network trained is known when it is done.
            number(run.seconds if run.finished_replicates else None, ".1f"),
            run.created[5:16].replace("T", " "),
        )
    return table
