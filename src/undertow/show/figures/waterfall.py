"""Where the decades went: a waterfall from the last hidden layer to the first, by cause and layer.

It draws what `undertow explain` computed: its JSON document, an arm or a model each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from undertow.explanation.budget import TERMS
from undertow.numerals import counted
from undertow.show.figure import Figure, figure
from undertow.show.theme import BAND, INK, MEASURED, WIDE, alt, finish_chart, inline

LABELS = {term: term.replace("_", " ") for term in TERMS}
SMALL = 0.005  # dex: a bar too thin to see is left out
ROOM = 0.16  # of a panel's width, for numbers beside bars
MOST_LAYERS = 40  # of which a panel shows the names
LOST, GAINED = "lost", "gained"


def waterfall(documents: Mapping[str, Mapping[str, Any]]) -> Figure | None:
    """Draw the budget of each arm, two panels a row; None without a budget.

    >>> terms = dict.fromkeys(TERMS, 0.0) | {"ceiling": -5.4, "weight_scale": -0.5}
    >>> layers = [{"name": "hidden_1", "total": -2.9}, {"name": "hidden_2", "total": -3.0}]
    >>> waterfall({"sigmoid": {"total_dex": -5.9, "terms": terms, "layers": layers}}).title
    'sigmoid loses 5.9 decades on the way back; the largest part, -5.4, is ceiling'
    """
    if not documents:
        return None
    rows = []
    for arm, document in documents.items():
        by_cause, by_layer = causes(document), layers(document)
        low = min(row["low"] for row in (*by_cause, *by_layer))
        high = max(row["high"] for row in (*by_cause, *by_layer))
        scale = alt.Scale(domain=[low, high], nice=True, zero=True)
        one, other = _panel(by_cause, "by cause", scale), _panel(by_layer, "by layer", scale)
        title = alt.TitleParams(arm, fontSize=13, anchor="start", offset=6)
        rows.append(alt.hconcat(one, other, spacing=24).properties(title=title))
    worst = max(documents, key=lambda arm: abs(documents[arm]["total_dex"]))
    chart = finish_chart(
        alt.vconcat(*rows, spacing=24),
        _message(worst, documents[worst]),
        "Read downwards, as the gradient runs: from the last hidden layer (0) to the first. A "
        "filled bar loses powers of ten, a hollow one gains them, and each begins where the one "
        "above ends. Left the same decades by cause, right by layer; both end at the total.",
        f"Waterfalls of {counted(len(rows), 'budget')}: log10 of delta, by cause and by layer. "
        + "; ".join(f"{arm}: total {documents[arm]['total_dex']:+.2f} dex" for arm in documents)
        + ".",
        width=WIDE,
    )
    return figure("waterfall", chart)


def by_cause(document: Mapping[str, Any]) -> Figure:
    """Draw one budget by cause alone, where there is little room.

    >>> terms = dict.fromkeys(TERMS, 0.0) | {"ceiling": -5.4, "weight_scale": -0.5}
    >>> summary = "5.4 of the 5.9 lost decades are the sigmoid's 1/4 ceiling."
    >>> by_cause({"total_dex": -5.9, "terms": terms, "summary": summary}).alt
    'Waterfall of ... by cause; total -5.90 dex: ceiling -5.40; weight scale -0.50; total -5.90.'
    """
    rows = causes(document)
    low, high = min(row["low"] for row in rows), max(row["high"] for row in rows)
    # Room for the numbers at the right of the bars.
    scale = alt.Scale(domain=[low, high + ROOM * (high - low)], nice=False, zero=True)
    chart = finish_chart(
        _panel(rows, "delta from the last hidden layer down to the first", scale),
        document["summary"].rstrip("."),
        "Read downwards: each bar begins where the one above ends, and the last is their sum. A "
        "filled bar loses powers of ten, a hollow one gains them.",
        f"Waterfall of log10 of delta by cause; total {document['total_dex']:+.2f} dex: "
        + "; ".join(f"{row['name']} {row['said']}" for row in rows)
        + ".",
        width=WIDE // 2,
    )
    return figure("waterfall", chart)


def causes(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a bar for each cause that counts, and one for the total."""
    steps = [(LABELS[term], document["terms"][term]) for term in TERMS]
    return _bars([step for step in steps if abs(step[1]) >= SMALL], document["total_dex"])


def layers(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a bar for each layer, the last hidden one's neighbour first, and the total."""
    steps = [(layer["name"], layer["total"]) for layer in reversed(document["layers"])]
    return _bars(steps, document["total_dex"])


def _bars(steps: list[tuple[str, float]], total: float) -> list[dict[str, Any]]:
    found, at = [], 0.0
    for place, (name, dex) in enumerate(steps):
        found.append(_bar(place, name, at, at + dex))
        at += dex
    return [*found, {**_bar(len(found), "total", 0.0, total), "is_total": True}]


def _bar(place: int, name: str, start: float, end: float) -> dict[str, Any]:
    dex = end - start
    return {
        "place": place,
        "name": name,
        "low": min(start, end),
        "high": max(start, end),
        "end": end,
        "said": f"{dex:+.2f}",
        "dex": dex,
        "way": LOST if dex < 0 else GAINED,
        "is_total": False,
    }


def _panel(rows: list[dict[str, Any]], title: str, scale: Any) -> Any:
    names = {row["place"]: row["name"] for row in rows}
    # Places, not names, are the axis: two layers may have one name to a reader's eye.
    labels = " : ".join(
        f"datum.value == {place} ? {json.dumps(name)}" for place, name in names.items()
    )
    y = alt.Y(
        "place:O",
        title=None,
        sort=None,
        axis=alt.Axis(
            labelExpr=f"{labels} : ''",
            labelLimit=130,
            ticks=False,
            domain=False,
            labelOverlap=len(rows) > MOST_LAYERS,
        ),
    )
    x = alt.X("low:Q", title="log10 of delta's change (dex)", scale=scale)
    base = alt.Chart(inline(rows))
    bars = base.mark_bar(stroke=MEASURED, strokeWidth=1.5).encode(
        x=x,
        x2="high:Q",
        y=y,
        fill=alt.condition(
            "datum.is_total",
            alt.value(INK),
            alt.Fill(
                "way:N",
                scale=alt.Scale(domain=[LOST, GAINED], range=[MEASURED, "white"]),
                legend=alt.Legend(title=None, orient="top", direction="horizontal"),
            ),
        ),
        tooltip=["name:N", alt.Tooltip("dex:Q", format="+.3f", title="dex")],
    )
    zero = alt.Chart(inline([{"at": 0}])).mark_rule(color=BAND).encode(x="at:Q")
    said = base.mark_text(align="left", color=INK, fontSize=10, xOffset=5).encode(
        x=alt.X("high:Q", title="log10 of delta's change (dex)", scale=scale), y=y, text="said:N"
    )
    height = max(8, min(18, 560 // max(len(rows), 1))) * len(rows)
    return alt.layer(zero, bars, said).properties(
        width=WIDE // 2 - 100, height=height, title=alt.TitleParams(title, fontSize=11)
    )


def _message(arm: str, document: Mapping[str, Any]) -> str:
    if "summary" in document:
        return f"{arm}: {document['summary'].rstrip('.')}"
    terms, total = document["terms"], document["total_dex"]
    term = min(TERMS, key=lambda each: terms[each] * (1 if total < 0 else -1))
    way = "loses" if total < 0 else "gains"
    return (
        f"{arm} {way} {abs(total):.1f} decades on the way back; the largest part, "
        f"{terms[term]:+.1f}, is {LABELS[term]}"
    )
