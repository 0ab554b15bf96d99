"""The arms in order: how far each lies above the baseline, with its interval (a forest plot)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from undertow.numerals import counted
from undertow.show.figure import Figure, figure
from undertow.show.theme import BAND, INK, MEASURED, QUIET, WIDE, alt, finish_chart, inline
from undertow.statistics.comparison import SIGNIFICANT

SOLID, HOLLOW = "interval and test agree", "they do not"


def ranking(document: Mapping[str, Any]) -> Figure | None:
    """Draw the comparisons of `undertow run --json`, best first; None where there is none."""
    stuck = {arm["name"]: _stuck(arm) for arm in document.get("arms", ())}
    rows = [
        _row(comparison, stuck.get(comparison["arm"], ""))
        for comparison in document.get("comparisons", ())
        if comparison.get("difference") is not None
    ]
    if not rows:
        return None
    rows.sort(key=lambda row: -row["difference"])
    baseline = document["comparisons"][0]["baseline"]
    order = [row["arm"] for row in rows]
    y = alt.Y(
        "arm:N",
        title="arm",
        sort=order,
        axis=alt.Axis(labelLimit=200, ticks=False, domain=False, grid=True),
    )
    base = alt.Chart(inline(rows))
    x = alt.X(
        "difference:Q",
        title=f"test accuracy less that of {baseline} (percentage points)",
        scale=alt.Scale(nice=True, zero=True),
    )
    zero = (
        alt.Chart(inline([{"zero": 0}])).mark_rule(color=BAND, strokeDash=[4, 3]).encode(x="zero:Q")
    )
    interval = base.mark_rule(color=MEASURED, strokeWidth=2.5).encode(x="low:Q", x2="high:Q", y=y)
    points = base.mark_point(size=80, opacity=1, strokeWidth=1.8, stroke=MEASURED).encode(
        x=x,
        y=y,
        fill=alt.Fill(
            "sure:N",
            title="claimed where",
            scale=alt.Scale(domain=[SOLID, HOLLOW], range=[MEASURED, "white"]),
            legend=alt.Legend(orient="top", direction="horizontal"),
        ),
        tooltip=[
            "arm:N",
            alt.Tooltip("difference:Q", title="points", format="+.1f"),
            alt.Tooltip("low:Q", title="from", format="+.1f"),
            alt.Tooltip("high:Q", title="to", format="+.1f"),
            alt.Tooltip("p:Q", title="p after Holm", format=".2g"),
        ],
    )
    said = base.mark_text(align="left", color=INK, fontSize=11, xOffset=10).encode(
        x=alt.value("width"), y=y, text="said:N", color=alt.value(QUIET)
    )
    best = rows[0]
    said_once = dict.fromkeys(row["note"] for row in rows if row["note"])
    notes = "".join(f" Note: {note}." for note in said_once)
    chart = finish_chart(
        alt.layer(zero, interval, points, said).properties(
            width=WIDE - 220, height=22 * max(len(rows), 1)
        ),
        f"{best['arm']} lies {abs(best['difference']):.1f} points "
        f"{'above' if best['difference'] >= 0 else 'below'} {baseline}; "
        f"{sum(row['sure'] == SOLID and row['difference'] > 0 for row in rows)} of "
        f"{counted(len(rows), 'arm')} can be claimed to be better"
        + (": see the note on seeds" if notes else ""),
        "The dot is the mean difference over seeds, the line its 95 % interval. A filled dot may "
        "be claimed: its interval leaves 0 out and the exact test, after Holm's correction for the "
        "number of arms, has p under .05. A placebo that strayed from 0 would warn of chance. "
        f"Beside it: p, and how many replicates are stuck.{notes}",
        f"Forest plot, {counted(len(rows), 'arm')} against {baseline}, in percentage points of "
        "test accuracy. "
        + "; ".join(f"{row['arm']}: {row['difference']:+.1f}" for row in rows)
        + ".",
        width=WIDE,
    )
    return figure("ranking", chart)


def _row(comparison: Mapping[str, Any], stuck: str) -> dict[str, Any]:
    low, high = comparison.get("ci95") or (None, None)
    p = comparison.get("p_holm")
    clear = low is not None and high is not None and (low > 0 or high < 0)
    return {
        "arm": comparison["arm"],
        "difference": 100 * comparison["difference"],
        "low": None if low is None else 100 * low,
        "high": None if high is None else 100 * high,
        "p": p,
        "note": comparison.get("note") or "",
        "sure": SOLID if clear and p is not None and p < SIGNIFICANT else HOLLOW,
        "said": f"{'no test' if p is None else f'p = {p:.2g}'}, {stuck}".rstrip(", "),
    }


def _stuck(arm: Mapping[str, Any]) -> str:
    accuracy = arm.get("test_accuracy") or {}
    if accuracy.get("stuck") is None:
        return ""
    return f"{accuracy['stuck']} of {len(accuracy.get('values', ()))} stuck"
