"""The table of a trace for the terminal: a row a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.show import trace_summary
from undertow.show.terminal.cells import new_table, printable, text
from undertow.trace.record import Trace

if TYPE_CHECKING:
    from rich.table import Table


def trace(found: Trace) -> Table:
    """Return the table of a trace, under a line that says what it holds."""
    table = new_table(printable(trace_summary.headline(found)), *trace_summary.HEADINGS)
    for name, kind, *norms in trace_summary.rows(found):
        table.add_row(text(name), text(kind), *(format(norm, ".1e") for norm in norms))
    table.caption = trace_summary.MEANING
    return table
