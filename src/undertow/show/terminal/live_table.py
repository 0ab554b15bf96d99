"""The live view's table of layers: the rows and columns there is room for, and their cells.

A size shows as a number and as the length of a bar, never as a colour.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

from undertow.numerals import abbreviated, decades, percent
from undertow.show.terminal.cells import printable
from undertow.trace import schema

if TYPE_CHECKING:
    from rich.table import Table

Layer = Mapping[str, Any]  # as `live.document` lists it

EIGHTHS = " ▏▎▍▌▋▊▉█"
NAME = (18, 44)  # characters of a name, at least and at most
BAR = (5, 12, 24)  # of a bar: at least, before names get more, at most
ROOMY = 80  # columns of a terminal from which on two spaces part those of the table


class Column(NamedTuple):
    """A column: its heading, the numbers it needs, its cell, and when it goes for lack of room."""

    name: str
    heading: str
    needs: tuple[str, ...]
    cell: Callable[[Layer], str]
    goes: int = 0  # 1 goes first; 0 stays


def table(every: Sequence[Layer], width: int, rows: int) -> tuple[Table, list[str]]:
    """Return the table in so many columns and rows, and notes on what it does not show."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    places = choose_layers(every, rows)
    shown = [every[place] for place in places]
    cells = {
        column: [column.cell(layer) for layer in shown]
        for column in COLUMNS
        if all(need in every[0] for need in column.needs)
    }
    ends = _ends([layer.get("grad_norm", math.nan) for layer in shown])
    if not ends:
        cells.pop(BARS, None)
    gap = 2 if width >= ROOMY else 1
    widths, dropped = fitting_columns(cells, width, gap)
    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, gap - 1, 0, 0), pad_edge=False)
    for column, size in widths.items():
        if column is LAYER:
            cells[column] = [shorten_path(name, size) for name in cells[column]]
        elif column is BARS:
            cells[column] = bars([layer["grad_norm"] for layer in shown], size)
        drawn.add_column(
            Text(column.heading),
            justify="left" if column in (LAYER, KIND, BARS) else "right",
            vertical="bottom",
            width=size,
            no_wrap=True,
        )
    for row, (place, following) in enumerate(zip_longest(places, places[1:], fillvalue=len(every))):
        broken = every[place].get("nonfinite", 0) > 0
        line = (Text(cells[column][row]) for column in widths)
        drawn.add_row(*line, style="bold" if broken else None)
        if following > place + 1:
            drawn.add_row(Text(f"⋮ {following - place - 1:,} more"), style="dim")
    notes = []
    if ends and BARS in widths:
        notes.append(f"bars: {ends[0]:+.2f} to {ends[1]:+.2f}")
    if lacking := len(every) - len(shown):
        notes.append(f"{lacking:,} of {len(every):,} layers left out")
    if dropped:
        notes.append(f"no room for {', '.join(column.name for column in dropped)}")
    return drawn, notes


def choose_layers(every: Sequence[Layer], rows: int) -> list[int]:
    """Choose layers for so many rows: the first, the last, the extreme; each gap takes a row.

    >>> choose_layers([{"grad_norm": norm} for norm in (5.0, 4.0, 6.0, 5.0, 5.0, 1.0, 9.0, 5.0)], 6)
    [0, 1, 5, 6, 7]
    """
    if len(every) <= rows:
        return list(range(len(every)))
    chosen = {-1, len(every)}  # the edges, which close a gap like a layer
    left = rows - 1  # one gap so far
    for place in _by_interest(every):
        # One row for itself and one more gap, less each gap that it touches the end of.
        cost = (place - 1 not in chosen) + (place + 1 not in chosen)
        if place not in chosen and cost <= left:
            chosen.add(place)
            left -= cost
    return [
        place for place in range(len(every)) if {place - 1, place + 1} <= chosen or place in chosen
    ]


def fitting_columns(
    cells: Mapping[Column, Sequence[str]], width: int, gap: int
) -> tuple[dict[Column, int], list[Column]]:
    """Give each column its width, and name those that have to go."""
    from rich.cells import cell_len

    natural = {
        column: max(cell_len(line) for line in (*column.heading.split("\n"), *lines))
        for column, lines in cells.items()
    }
    least = natural | {LAYER: min(natural[LAYER], NAME[0])}
    least |= {BARS: BAR[0]} if BARS in natural else {}
    dropped: list[Column] = []
    for column in sorted(cells, key=lambda each: each.goes):
        if column.goes and _total_width(least, gap) > width:
            dropped.append(column)
            del least[column]
    spare = max(width - _total_width(least, gap), 0)
    for column, most in ((BARS, BAR[1]), (LAYER, min(natural[LAYER], NAME[1])), (BARS, BAR[2])):
        if column in least:
            more = min(spare, max(most - least[column], 0))
            least[column] += more
            spare -= more
    return least, dropped


def bars(values: Sequence[float], width: int) -> list[str]:
    """Draw the logarithm of each value as a bar, the smallest short and the largest full.

    A range under a power of ten counts as one, so that alike looks alike.

    >>> bars([1e-4, 1e-2, 1.0, 0.0], 5)
    ['█', '███', '█████', '']
    """
    ends = _ends(values)
    if not ends:
        return ["" for _ in values]
    low, high = ends
    logs = [_log(value) for value in values]
    return [
        _bar(1 + (width - 1) * (log - low) / (high - low)) if math.isfinite(log) else ""
        for log in logs
    ]


def shorten_path(name: str, width: int) -> str:
    """Write the parts of a long path as initials, the first first: numbers and the end stay.

    >>> shorten_path("encoder.layers.11.self_attn.out_proj", 18), shorten_path("linearisation", 8)
    ('e.l.11.s.out_proj', 'lineari…')
    """
    from rich.cells import cell_len, set_cell_size

    parts = name.split(".")
    for place, part in enumerate(parts[:-1]):
        if cell_len(".".join(parts)) > width and not part.isdigit():
            parts[place] = part[:1]
    short = ".".join(parts)
    return short if cell_len(short) <= width else set_cell_size(short, width - 1) + "…"


def _number(layer: Layer, name: str, over: str = "") -> float:
    """Return a variable of a layer, or its ratio to another; NaN where that is not known or 0."""
    number = layer.get(name, math.nan)
    if not over:
        return number
    divisor = layer.get(over, math.nan)
    return number / divisor if divisor > 0 else math.nan


def _column(name: str, shown: schema.Column) -> Column:
    """Return the column of a variable that the schema shows in tables of layers."""

    def cell(layer: Layer) -> str:
        number = _number(layer, name, shown.over)
        if shown.form == "decades":
            return decades(number, layer.get("nonfinite", 0))
        return percent(number) if shown.form == "share" else abbreviated(number)

    needs = (name, shown.over) if shown.over else (name,)
    return Column(shown.name, shown.heading, needs, cell, shown.goes)


LAYER = Column("layer", "layer", (), lambda layer: printable(layer["name"]))
KIND = Column("kind", "kind", (), lambda layer: printable(layer["kind"]), 1)
BARS = Column("bars", "", ("grad_norm",), lambda _: "", 3)
MEASURED = [
    _column(name, each.column) for name, each in schema.VARIABLES.items() if each.column is not None
]
COLUMNS = (LAYER, KIND, MEASURED[0], BARS, *MEASURED[1:])


def _by_interest(every: Sequence[Layer]) -> Iterator[int]:
    """Yield the places of all layers: the ends, the extremes, then from the ends inwards."""
    last = len(every) - 1
    ends = chain.from_iterable(
        zip(range(last // 2 + 1), range(last, last // 2 - 1, -1), strict=False)
    )
    yield from (0, last)
    yield from _extremes(every)
    yield from ends


def _extremes(every: Sequence[Layer]) -> Iterator[int]:
    """Yield where numbers are not finite, last and first, and where they are far from the rest."""
    broken = [place for place, layer in enumerate(every) if layer.get("nonfinite", 0) > 0]
    yield from broken[-1:] + broken[:1]
    for ends, numbers in (
        ((min, max), [layer.get("grad_norm", math.nan) for layer in every]),
        ((min, max), [_number(layer, "update_norm", "weight_norm") for layer in every]),
        ((max,), [layer.get("dead_fraction") or math.nan for layer in every]),
        ((max,), [layer.get("saturated_fraction") or math.nan for layer in every]),
    ):
        known = [(number, place) for place, number in enumerate(numbers) if math.isfinite(number)]
        yield from (end(known)[1] for end in ends if known)


def _ends(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the logarithms that the shortest and the fullest bar stand for; None without any."""
    known = [log for log in map(_log, values) if math.isfinite(log)]
    return (min(known), max(*known, min(known) + 1)) if known else None


def _log(value: float) -> float:
    return math.log10(value) if 0 < value < math.inf else math.nan


def _bar(eighths: float) -> str:
    full, part = divmod(round(8 * eighths), 8)
    return "█" * full + EIGHTHS[part].strip()


def _total_width(widths: Mapping[Column, int], gap: int) -> int:
    return sum(widths.values()) + gap * (len(widths) - 1)
