"""A trace, a diagnosis and a budget as HTML for a notebook: words and tables, all escaped.

Names of layers and runs come from the user's model; none of them is markup here. Nothing is needed
beyond the core: a chart is what `plot` draws.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from undertow.explanation.budget import TERMS
from undertow.numerals import NOT_DEFINED
from undertow.show import trace_summary
from undertow.show.terminal import verdict
from undertow.trace.record import Trace


def trace(found: Trace) -> str:
    """Return what a trace holds, and a row a layer.

    >>> import numpy as np
    >>> from undertow.trace.record import Chunk, Header, Layer, build
    >>> layer = Layer("output", 1, "linear", "linear", 2, 1)
    >>> header = Header((layer,), (0,), {"source": "trained"})
    >>> ones = np.ones((1, 1, 1))
    >>> chunk = Chunk(np.array([1]), np.array([1]), {"grad_norm": ones, "delta_norm": ones})
    >>> trace(build(header, [chunk]))[:74]
    '<p><strong>Trace, trained: 1 replicate, 1 recorded step, 1 layer</strong><'
    """
    rows = (
        (row.name, row.kind, *(_number(norm, ".1e") for norm in row[2:]))
        for row in trace_summary.rows(found)
    )
    return _paragraph(trace_summary.headline(found), strong=True) + _table(
        trace_summary.HEADINGS, rows, trace_summary.MEANING
    )


def diagnosis(document: Mapping[str, Any]) -> str:
    """Return the verdict in words: the cause, its evidence, what helps, what else was found.

    >>> diagnosis({"outcome": "healthy", "reason": "", "root_cause": None, "findings": []})
    '<p><strong>Healthy: the gradient reaches every layer.</strong></p>'
    """
    root, said = document["root_cause"], verdict.headline(document)
    found = [_paragraph(f"{said[:1].upper()}{said[1:]}.", strong=True)]
    if root:
        found.append(_paragraph(f"{root['evidence']}."))
        if root["remedies"]:
            found.append(_paragraph("What helps, most effect first:"))
            helps = zip(root["remedies"], root["advice"], strict=True)
            found.append(_list(f"{name}: {advice}" for name, advice in helps))
    others = [each for each in document["findings"] if not root or each["code"] != root["code"]]
    if others:
        found.append(_paragraph("Follows from it, or beside it:" if root else "Also found:"))
        found.append(
            _list(f"{each['title']} ({each['code']}): {each['evidence']}" for each in others)
        )
    return "".join(found)


def budget(document: Mapping[str, Any]) -> str:
    """Return a budget's sentence, and its table: a row a layer, a column a cause that counts.

    >>> terms = {term: 0.0 for term in TERMS} | {"ceiling": -0.6}
    >>> layer = {"name": "hidden 1", "terms": terms, "total": -0.6}
    >>> found = {"layers": [layer], "terms": terms, "total_dex": -0.6}
    >>> found["summary"] = "Lost to the ceiling."
    >>> budget(found).count("<td>-0.60</td>")
    4
    """
    terms = [term for term in TERMS if any(each["terms"][term] for each in document["layers"])]
    rows = [
        (each["name"], *(_number(each["terms"][term]) for term in terms), _number(each["total"]))
        for each in reversed(document["layers"])
    ]
    totals = (_number(document["terms"][term]) for term in terms)
    rows.append(("all", *totals, _number(document["total_dex"])))
    return _paragraph(document["summary"], strong=True) + _table(
        ("layer", *(term.replace("_", " ") for term in terms), "gain"),
        rows,
        "Decades (dex) that delta gains or loses, read downwards as the gradient runs.",
    )


def _number(value: float | None, form: str = "+.2f") -> str:
    return NOT_DEFINED if value is None or not math.isfinite(value) else format(value, form)


def _paragraph(words: str, *, strong: bool = False) -> str:
    text = escape(words)
    return f"<p><strong>{text}</strong></p>" if strong else f"<p>{text}</p>"


def _list(lines: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in headings)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        f"{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        for name, *cells in rows
    )
    return (
        f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )
