"""The table of a trace for the terminal: a row a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.show import trace_summary
from undertow.show.terminal.cells import new_table, printable, text
from undertow.trace.record import Trace

if TYPE_CHECKING:
    from rich.table import Table


def trace(found: Trace) -> Table:
    """Return the table of a trace, under a line that says what it holds.

    >>> import numpy as np
    >>> from undertow.trace.record import Chunk, Header, Layer, build
    >>> layer = Layer("output", 1, "linear", "linear", 2, 1)
    >>> header = Header((layer,), (0,), {"source": "trained"})
    >>> ones = np.ones((1, 1, 1))
    >>> chunk = Chunk(np.array([1]), np.array([1]), {"grad_norm": ones, "delta_norm": ones})
    >>> table = trace(build(header, [chunk]))
    >>> table.row_count, table.title
    (1, 'Trace, trained: 1 replicate, 1 recorded step, 1 layer')
    """
    table = new_table(printable(trace_summary.headline(found)), *trace_summary.HEADINGS)
    for name, kind, *norms in trace_summary.rows(found):
        table.add_row(text(name), text(kind), *(format(norm, ".1e") for norm in norms))
    table.caption = trace_summary.MEANING
    return table
