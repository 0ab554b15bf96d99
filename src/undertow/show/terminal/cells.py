"""Cells of terminal tables: names that cannot move the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table


def printable(text: str) -> str:
    r"""Show what would move the cursor or change the colours instead of doing it.

    >>> print(printable("conv1\x1b[2J\n"))
    conv1\x1b[2J\n
    """
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def new_table(title: str | None, *columns: str) -> Table:
    """Return an empty table in the house's form; prose wraps, numbers do not."""
    from rich import box
    from rich.table import Table

    table = Table(
        title=title,
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
        show_edge=False,
        padding=(0, 0),
    )
    for place, column in enumerate(columns):
        prose = place == 0 or column in ("claim", "evidence", "state", "created")
        wraps = column in ("claim", "evidence")
        table.add_column(column, justify="left" if prose else "right", no_wrap=not wraps)
    return table


def text(name: str) -> Any:
    """Return a name as text that rich takes for no markup."""
    from rich.text import Text

    return Text(printable(name))  # a name is never markup
