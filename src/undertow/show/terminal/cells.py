"""Cells of terminal tables: numbers, dashes, names that cannot move the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

NOT_DEFINED = "-"


def printable(text: str) -> str:
    r"""Show what would move the cursor or change the colours instead of doing it.

    >>> print(printable("conv1\x1b[2J\n"))
    conv1\x1b[2J\n
    """
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def number(value: float | None, form: str) -> str:
    """Write a number, or a dash where there is none.

    >>> number(1.06e-7, ".1e"), number(None, ".1e")
    ('1.1e-07', '-')
    """
    return NOT_DEFINED if value is None else format(value, form)


def short(value: float | None) -> str:
    """Write a number with two figures, without a power of ten where it is easily read.

    >>> short(121.08), short(0.000482), short(1.953e-06), short(None)
    ('120', '0.00048', '2e-06', '-')
    """
    return NOT_DEFINED if value is None else f"{float(f'{value:.2g}'):g}"


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
