"""How every figure looks: colours measured for contrast and colour blindness, sizes, fonts.

Colour says what a thing is: blue is measured, orange is after a change (a remedy, or training),
black is theory. Three hues are enough; from the fourth line
on dash, marker and a label beside the line tell arms apart. The theme is a value that each chart
carries, never a global setting of Altair.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from undertow.errors import needs

if TYPE_CHECKING:
    import altair as alt
else:
    alt = needs("altair", "show")

MEASURED = "#0072B2"
REMEDY = "#C4500A"
THEORY = "#1A1A1A"
BAND = "#8A8A8A"
INK = "#1A1A1A"
QUIET = "#595959"  # the lightest grey that small text may have on white
RULE = "#D9D9D9"

CLASS_COLOURS = (MEASURED, REMEDY)
CLASS_SHAPES = ("circle", "triangle-up")

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', Arial, sans-serif"
WIDE = 640  # px, a figure of one panel
PANEL = 150  # px, one of many

CONFIG: dict[str, Any] = {
    "background": "white",
    "font": FONT,
    "view": {"stroke": RULE},
    "concat": {"spacing": 18},
    "axis": {
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "labelColor": INK,
        "titleColor": INK,
        "gridColor": "#EBEBEB",
        "domainColor": BAND,
        "tickColor": BAND,
    },
    "title": {
        "anchor": "start",
        "color": INK,
        "fontSize": 15,
        "fontWeight": "bold",
        "subtitleColor": QUIET,
        "subtitleFontSize": 12,
        "offset": 12,
    },
    "legend": {
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelColor": INK,
        "titleColor": INK,
        "symbolSize": 70,
        "labelLimit": 400,
    },
}


class Style(NamedTuple):
    """How one of several lines in a panel is drawn."""

    colour: str
    dash: tuple[int, int]
    shape: str


_DASHES = ((1, 0), (6, 3), (2, 2), (8, 2))
_SHAPES = ("circle", "square", "triangle-up", "diamond")


def style(place: int) -> Style:
    """Style of the line at a place; no two of the first twelve are alike.

    >>> style(0).colour == MEASURED, style(3).colour == MEASURED, style(0).dash == style(3).dash
    (True, True, False)
    """
    colours = (MEASURED, REMEDY, THEORY)
    round_ = place // len(colours) % len(_DASHES)
    return Style(colours[place % len(colours)], _DASHES[round_], _SHAPES[round_])


def columns(panels: int) -> int:
    """How many panels stand side by side: few empty places, never more than five.

    >>> [columns(panels) for panels in (1, 2, 4, 6, 8, 10, 11)]
    [1, 2, 4, 3, 4, 5, 4]
    """
    if panels <= 4:
        return max(panels, 1)
    return min((5, 4, 3), key=lambda count: -panels % count)


class _Rows(alt.InlineData):
    """Data that is checked with the whole figure, and not row by row beforehand."""

    _class_is_valid_at_instantiation = False


def inline(rows: Iterable[Any]) -> Any:
    """Return rows as a chart's data.

    As a tuple: Altair copies a list, entry by entry, whenever charts are put together. That, and
    checking the rows twice, took two thirds of the time of a figure.
    """
    return _Rows(values=tuple(rows))


def finish_chart(
    chart: Any, title: str, how_to_read: str, alt_text: str, *, width: int = WIDE
) -> Any:
    """Give a chart its words and the theme.

    The title says the message; under it stands how to read the figure.
    """
    characters = max(width, 420) / 6.4
    words = alt.TitleParams(
        text=wrap_text(title, int(characters * 0.78)),
        subtitle=wrap_text(how_to_read, int(characters)),
    )
    return chart.properties(title=words, description=alt_text, config=alt.Config.from_dict(CONFIG))


def wrap_text(text: str, characters: int) -> list[str]:
    """Break a text into lines: Vega draws long ones beyond the edge.

    >>> wrap_text("the gradient vanishes", 12)
    ['the gradient', 'vanishes']
    """
    return textwrap.wrap(text, characters, break_long_words=False, break_on_hyphens=False) or [""]
