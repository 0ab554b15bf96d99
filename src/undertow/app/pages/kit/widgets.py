"""What pages and lessons are put together from: figures without a menu, messages, links."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from typing import Any
from urllib.parse import urlencode

from undertow.show.figure import Figure

PAGES = {"playground": "Playground", "runs": "Runs", "experiments": "Experiments"}


class Drawn:
    """A Vega-Lite chart as marimo shows it, without the menu that Vega puts beside it."""

    def __init__(self, specification: dict[str, Any]) -> None:
        self.specification = specification

    def _mime_(self) -> tuple[str, str]:
        return "application/vnd.vegalite.v6+json", json.dumps(self.specification, allow_nan=False)


def chart(drawn: Any, *, fit: bool = False) -> Drawn:
    """Show an Altair chart; with `fit` it takes the width it is given.

    Its title goes with it; a `Figure` is better shown by `figure`, which sets words as text.
    """
    specification = drawn.to_dict(validate=False)
    options = {"actions": False, "renderer": "canvas"}
    if fit:
        specification |= {"width": "container"}
    return Drawn({**specification, "usermeta": {"embedOptions": options}})


def figure(mo: Any, shown: Figure, *, size: tuple[int, int] | None = None) -> Any:
    """Show a figure: its message, the chart, and how to read it, folded.

    `size` is the width and height of a chart of one panel.
    """
    drawn = shown.chart.to_dict(validate=False)  # tests check figures; a page has no time to
    drawn.pop("title", None)
    if size:
        drawn["width"], drawn["height"] = size
    drawn["usermeta"] = {"embedOptions": {"actions": False}}
    read = f"<details><summary>How to read it</summary><p>{escape(shown.how_to_read)}</p></details>"
    return mo.vstack(
        [
            mo.Html(f'<h3 class="ut-message">{escape(shown.title)}</h3>'),
            Drawn(drawn),
            mo.Html(read),
        ],
        gap=0.25,
    )


def header(mo: Any, here: str, lead: str) -> Any:
    """Return the top of a page: where one is, and one sentence about it."""
    links = "".join(
        f'<a href="../{name}/"{" aria-current=page" if name == here else ""}>{title}</a>'
        for name, title in PAGES.items()
    )
    return mo.Html(
        f'<header class="ut-header"><nav aria-label="Pages"><a class="ut-home" href="../">Undertow'
        f'</a>{links}</nav><h1>{PAGES.get(here, here)}</h1><p class="ut-lead">{escape(lead)}</p>'
        "</header>"
    )


def views(mo: Any) -> tuple[Any, Any]:
    """Return what chooses the view: which gradient, and on which scale."""
    measures = {"delta": "delta_norm", "weight gradient": "grad_norm"}
    scales = {"relative": True, "absolute": False}
    return (
        mo.ui.radio(measures, next(iter(measures)), label="show", inline=True),
        mo.ui.radio(scales, next(iter(scales)), label="scale", inline=True),
    )


def message(mo: Any, text: str, kind: str = "note") -> Any:
    """Return a line for the reader: a `note`, or a `problem` and what to do about it."""
    return mo.Html(f'<p class="ut-{kind}" role="status">{escape(text)}</p>')


def table(mo: Any, caption: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Any:
    """Return a plain table; every cell is text, whatever it holds."""
    head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in columns)
    body = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row">{escape(str(cell))}</th>'
            if place == 0
            else f"<td>{escape(str(cell))}</td>"
            for place, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return mo.Html(
        f'<div class="ut-scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        "</table></div>"
    )


def report_link(names: list[str]) -> str:
    """Return the address of a report, from a page.

    >>> report_link(["moons"])
    '../report?run=moons'
    """
    return "../report?" + urlencode([("run", name) for name in names])
