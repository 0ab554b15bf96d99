"""What each replicate came to: a dot each, because it learns or is stuck, seldom between."""

from __future__ import annotations

from typing import Any

import numpy as np

from undertow.numerals import counted
from undertow.show.figure import Kind, Traces
from undertow.show.theme import INK, MEASURED, WIDE, alt, finish_chart, inline
from undertow.statistics.bands import median
from undertow.statistics.stuck import stuck
from undertow.statistics.summary import summarise
from undertow.trace.readings import values

_DOTS = 40  # replicates a row


def stuck_dots(traces: Traces) -> Any:
    """Draw a circle a replicate, filled if it learned and crossed if it is stuck, a row an arm."""
    rows, said = [], {}
    for arm, trace in traces.items():
        ends = [values(trace, name)[:, -1] for name in ("test_accuracy", "predicted_share")]
        # Where the share of the larger class is not known, only naming one class for all tells.
        flags = np.sort(stuck(ends[0], trace.attributes.get("larger_test_share", 0.0), ends[1]))
        said[arm] = (int(flags.sum()), len(flags))
        rows += [
            {
                "arm": arm,
                "row": arm if place < _DOTS else f"{arm} ({place // _DOTS + 1})",
                "place": place % _DOTS + 1,
                "outcome": "stuck" if flag else "learned",
            }
            for place, flag in enumerate(flags)
        ]
    counts = [
        {"row": arm, "count": f"{caught} of {of} stuck"} for arm, (caught, of) in said.items()
    ]
    widest = max(row["place"] for row in rows)
    order = list(dict.fromkeys(row["row"] for row in rows))
    y = alt.Y("row:N", title="arm", sort=order, axis=_arm_axis())
    scale = alt.Scale(domain=[0.5, widest + 0.5], nice=False, zero=False)
    x = alt.X(
        "place:Q",
        title="replicates (one dot a seed, those that learned first)",
        scale=scale,
        axis=alt.Axis(grid=False, tickMinStep=1, format="d"),
    )
    base = alt.Chart(inline(rows))
    domain = ["learned", "stuck"]
    dots = base.mark_point(size=90, strokeWidth=1.8, opacity=1).encode(
        x=x,
        y=y,
        shape=alt.Shape(
            "outcome:N",
            title=None,
            scale=alt.Scale(domain=domain, range=["circle", "cross"]),
            legend=alt.Legend(orient="top", direction="horizontal"),
        ),
        fill=alt.Fill(
            "outcome:N", title=None, scale=alt.Scale(domain=domain, range=[MEASURED, "white"])
        ),
        stroke=alt.Stroke(
            "outcome:N", title=None, scale=alt.Scale(domain=domain, range=[MEASURED, INK])
        ),
        tooltip=["arm:N", "outcome:N"],
    )
    beside = (
        alt.Chart(inline(counts))
        .mark_text(align="left", color=INK, fontSize=12, xOffset=10)
        .encode(x=alt.value("width"), y=y, text="count:N")
    )
    caught = [arm for arm, (count, of) in said.items() if count == of]
    free = [arm for arm, (count, _) in said.items() if count == 0]
    message = (
        f"Of {counted(len(said), 'arm')}, {len(caught)} "
        f"{'is' if len(caught) == 1 else 'are'} stuck with every seed, {len(free)} with none"
    )
    return finish_chart(
        alt.layer(dots, beside).properties(width=WIDE - 180, height=24 * len(order)),
        message,
        "A filled circle is a replicate that learned; an open cross is one that is stuck: its test "
        "accuracy is not above the share of the larger class, or it names one class for all.",
        f"Rows of dots, one for each of {counted(len(said), 'arm')}. "
        + "; ".join(f"{arm}: {count} of {of} stuck" for arm, (count, of) in said.items())
        + ".",
        width=WIDE,
    )


def test_accuracy(traces: Traces) -> Any:
    """Draw the test accuracy of each replicate, and mean and 95 % interval, a row an arm."""
    each = {arm: 100 * values(trace, "test_accuracy")[:, -1] for arm, trace in traces.items()}
    rows = [
        {"arm": arm, "value": round(float(value), 4)}
        for arm, part in each.items()
        for value in part
        if np.isfinite(value)
    ]
    summaries = []
    for arm, part in each.items():
        summary = summarise(part)
        if summary.mean is not None:
            low, high = summary.ci95 or (None, None)
            summaries.append({"arm": arm, "mean": summary.mean, "low": low, "high": high})
    y = alt.Y("arm:N", title="arm", sort=list(each), axis=_arm_axis())
    scale = alt.Scale(domain=[0, 100])
    seeds = (
        alt.Chart(inline(rows))
        .mark_tick(color=INK, opacity=0.45, thickness=1.5, height=14)
        .encode(x=alt.X("value:Q", title="test accuracy at the end (%)", scale=scale), y=y)
    )
    means = alt.Chart(inline(summaries))
    interval = means.mark_rule(color=MEASURED, strokeWidth=3).encode(x="low:Q", x2="high:Q", y=y)
    dots = means.mark_point(color=MEASURED, filled=True, size=80, opacity=1).encode(
        x=alt.X("mean:Q", scale=scale),
        y=y,
        tooltip=[
            "arm:N",
            *(
                alt.Tooltip(f"{name}:Q", title=title, format=".1f")
                for name, title in (("mean", "mean, %"), ("low", "from"), ("high", "to"))
            ),
        ],
    )
    beside = (
        alt.Chart(inline([row | {"said": f"{row['mean']:.1f} %"} for row in summaries]))
        .mark_text(align="left", color=INK, fontSize=12, xOffset=10)
        .encode(x=alt.value("width"), y=y, text="said:N")
    )
    middles = {arm: median(part) for arm, part in each.items()}
    best = max(middles, key=lambda arm: np.nan_to_num(middles[arm], nan=-1))
    worst = min(middles, key=lambda arm: np.nan_to_num(middles[arm], nan=-1))
    message = f"Test accuracy at the end: median {middles[best]:.0f} % for {best}"
    if best != worst:
        message += f", {middles[worst]:.0f} % for {worst}"
    return finish_chart(
        alt.layer(seeds, interval, dots, beside).properties(
            width=WIDE - 180, height=24 * max(len(each), 1)
        ),
        message,
        "The dot is the mean over the replicates, written beside it, and the line its 95 % "
        "interval; each thin tick is one replicate. Two heaps of ticks: some seeds learn and "
        "others do not, and then the mean describes none of them.",
        f"Dots with intervals, one for each of {counted(len(each), 'arm')}: test accuracy in "
        "percent. "
        + "; ".join(f"{row['arm']}: mean {row['mean']:.1f} %" for row in summaries)
        + ".",
        width=WIDE,
    )


STUCK = Kind("stuck", ("test_accuracy", "predicted_share"), (), stuck_dots)
TEST_ACCURACY = Kind("test-accuracy", ("test_accuracy",), (), test_accuracy)


def _arm_axis() -> Any:
    return alt.Axis(labelLimit=200, ticks=False, domain=False, grid=True)
