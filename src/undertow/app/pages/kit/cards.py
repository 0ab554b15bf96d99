"""What several pages show of traces: the verdict with its waterfall, the course, the difference."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from undertow.app.pages.kit import widgets
from undertow.numerals import scientific
from undertow.show import layer_profile
from undertow.show.figure import figure, lacking
from undertow.show.figures.curves import ACCURACY, LOSS
from undertow.show.figures.decision_surface import DECISION_SURFACE
from undertow.show.figures.waterfall import by_cause
from undertow.show.terminal import verdict
from undertow.statistics.bands import median
from undertow.trace import readings
from undertow.trace.record import Trace

ALL_SEEDS = 24  # up to which the dots are drawn one by one
OUTCOMES = ("test_accuracy", "predicted_share", "delta_norm")  # what tells whether a seed is stuck


def course(mo: Any, traces: Mapping[str, Trace]) -> Any:
    """Return loss, accuracy and the plane, those of them that every trace holds."""
    shown = [
        widgets.figure(mo, figure(kind.name, kind.draw(traces)))
        for kind in (LOSS, ACCURACY, DECISION_SURFACE)
        if not any(lacking(kind, trace) for trace in traces.values())
    ]
    return mo.hstack(shown, wrap=True, justify="start", align="start") if shown else mo.Html("")


def verdict_card(
    mo: Any,
    name: str,
    trace: Trace,
    document: Mapping[str, Any],
    budget: Mapping[str, Any] | None,
) -> Any:
    """Return the verdict on a trace, its seeds and its waterfall; the only one needs no `name`."""
    root = document["root_cause"]
    what = f"{escape(name)}: " if name else ""
    said = escape(verdict.headline(document).capitalize())
    if root:
        said = (
            f"<strong>{escape(root['title'].capitalize())}</strong> "
            f'<span class="ut-code" title="the rule that found it">{root["code"]}</span>'
        )
    words = f'<p class="ut-verdict ut-{document["outcome"]}">{what}{said}</p>'
    if root:
        words += f"<p>{escape(root['evidence'])}.</p>"
    shown = [mo.Html(words), mo.Html(seeds(trace))]
    if budget:
        shown.append(widgets.figure(mo, by_cause(budget)))
    return mo.vstack(shown, gap=0.25)


def difference(mo: Any, traces: Mapping[str, Trace], title: str = "") -> Any:
    """Return what the last trace is beside the first, in one sentence; by default in its name."""
    arms = list(traces.items())
    if len(arms) < 2 or not all(_has_outcome(trace) for _, trace in arms):
        return mo.Html("")
    (_, before), (changed, after) = arms[0], arms[-1]
    return mo.Html(
        f'<p class="ut-difference"><strong>{escape(title or changed)}:</strong> '
        f"{escape(layer_profile.difference(before, after))}</p>"
    )


def seeds(trace: Trace) -> str:
    """Draw a mark a seed, as HTML: filled has learned, a cross is stuck."""
    if not _has_outcome(trace):
        return ""
    stuck = readings.is_stuck(trace)
    said = f"{int(stuck.sum())} of {len(stuck)} seeds stuck"
    marks = "".join(
        f'<span class="{"ut-stuck" if each else "ut-learned"}">{"✕" if each else "●"}</span>'
        for each in stuck
    )
    shown = f'<span aria-hidden="true">{marks}</span> ' if len(stuck) <= ALL_SEEDS else ""
    return f'<p class="ut-dots">{shown}{said}</p>{_proxy(trace)}'


def _has_outcome(trace: Trace) -> bool:
    known = all(name in trace.dataset for name in OUTCOMES)
    return known and trace.dataset.sizes["step"] > 1 and "larger_test_share" in trace.attributes


def _proxy(trace: Trace) -> str:
    """Put the change of the first weights, which is often read as a gradient, beside the gradient.

    Of a training that is still going on there is no change yet.
    """
    if "first_layer_change" not in trace.artefacts:
        return ""
    percent = median(readings.percent_change(trace))
    gradient = median(readings.first_gradient(trace))
    return (
        f'<p class="ut-quiet">Since the start the first weights have changed by {percent:.2g} %; '
        f"their gradient at step 1 was {scientific(gradient)}.</p>"
    )
