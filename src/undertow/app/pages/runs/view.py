"""What is seen of one run, or of two side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

import numpy as np

from undertow.app.pages.kit import cards, widgets
from undertow.app.pages.runs.settings import settings
from undertow.app.pages.runs.store_view import SeenRun
from undertow.show.figure import figure, lacking
from undertow.show.figures.profile_over_time import profile_over_time
from undertow.show.figures.spikes import SPIKES, Incident, incidents
from undertow.show.layer_profile import View
from undertow.show.terminal import verdict
from undertow.studies.expected import disagreement
from undertow.trace.record import Trace
from undertow.verbs.arms import diagnose_and_explain

MOST_HAPPENINGS = 40  # rows of the table; all of them are in an export
DELTA, GRADIENT = "delta_norm", "grad_norm"


def runs_view(mo: Any, runs: Sequence[SeenRun], view: View) -> Any:
    """Return what is seen of runs, each with at least one recorded step or not begun."""
    names = _names(runs)
    begun = {
        name: each.trace
        for name, each in zip(names, runs, strict=True)
        if each.trace.dataset.sizes["step"]
    }
    lines = [_state(name, each) for name, each in zip(names, runs, strict=True)]
    if not begun:
        waiting = "No step recorded yet: the picture comes with the first one."
        return mo.vstack([*(mo.Html(line) for line in lines), widgets.message(mo, waiting)])
    diagnoses, budgets = diagnose_and_explain(begun)
    main = [
        *(mo.Html(line) for line in lines),
        *_profile(mo, begun, view),
        *_spikes(mo, begun),
        cards.course(mo, begun),
    ]
    several = len(begun) > 1
    side = [
        cards.difference(mo, begun, " \N{RIGHTWARDS ARROW} ".join(begun)),
        *(
            cards.verdict_card(
                mo, name if several else "", trace, diagnoses[name], budgets.get(name)
            )
            for name, trace in begun.items()
        ),
        *(
            mo.Html(f"<p>{f'{escape(name)}: ' if several else ''}{escape(said)}</p>")
            for name, trace in begun.items()
            if (said := against_theory(trace))
        ),
        mo.Html(f'<p class="ut-quiet">{escape(verdict.GLOSS)}</p>'),
    ]
    below = [
        *_incidents(mo, begun),
        _settings_table(mo, names, runs),
        *_report_link(mo, runs),
    ]
    return mo.Html(
        '<div class="ut-scene"><section aria-label="Measured">'
        f"{mo.vstack(main, gap=0.75).text}</section>"
        '<section aria-label="Verdict" class="ut-side">'
        f"{mo.vstack(side, gap=0.75).text}</section>"
        f'<section aria-label="Events and settings" class="ut-below">'
        f"{mo.vstack(below).text}"
        "</section></div>"
    )


def against_theory(trace: Trace) -> str:
    """Say how far the gradients of step 1 lie from what theory expects; empty if none is kept."""
    off = disagreement(trace)
    if off is None or int(trace.dataset["step"].values[0]) != 1:
        return ""
    finite = np.abs(off[np.isfinite(off)])
    if not len(finite):
        return "Theory expects a gradient where none was measured at step 1."
    worst = int(np.nanargmax(np.where(np.isfinite(off), np.abs(off), np.nan)))
    caution = trace.attributes["predicted"].get("caution")
    said = (
        f"Measured and predicted: at step 1 the gradients lie {np.median(finite):.2f} dex from "
        f"what theory expects (median of the layers), at most {abs(off[worst]):.2f} at "
        f"{trace.dataset['layer'].values[worst]}."
    )
    return f"{said} Caution: {caution}." if caution else said


def _names(runs: Sequence[SeenRun]) -> list[str]:
    """Name runs by their arms where that tells them apart, for a figure has little room."""
    arms = [str(each.run.attributes.get("arm", each.run.id)) for each in runs]
    return arms if len(set(arms)) == len(arms) else [each.run.id for each in runs]


def _state(name: str, looked: SeenRun) -> str:
    """Say which run it is, whether it is being written, and how far it is; as HTML."""
    run, data = looked.run, looked.trace.dataset
    phrases = [run.state]
    if data.sizes["step"]:
        steps = data["step"].values
        of = looked.trace.attributes.get("steps")
        phrases.append(f"step {int(steps[-1]):,}" + (f" of {of:,}" if of else ""))
        phrases.append(f"{len(steps):,} recorded steps")
        if "loss" in data:
            losses = data["loss"].isel(step=-1).values
            phrases.append(f"loss {np.median(losses):.3g}")
    if run.source == "trained":
        phrases.append(f"{run.finished_replicates} of {run.replicates} replicates whole")
        if looked.behind:
            phrases.append(f"{looked.behind} not as far are left out")
    overhead = looked.trace.attributes.get("overhead")
    if overhead:
        phrases.append(f"measuring takes {100 * float(overhead):.1f} % of the time")
    if thinned := looked.trace.attributes.get("thinned"):
        phrases.append(f"one flush in {thinned} is read, the first and the last always")
    mark = '<span class="ut-live" title="is being written">live</span> ' * (run.state == "running")
    known = f" ({escape(run.id)})" if name != run.id else ""
    return (
        f'<p class="ut-state" role="status">{mark}<strong>{escape(name)}</strong>{known}: '
        f"{escape(', '.join(phrases))}</p>"
    )


def _profile(mo: Any, traces: Mapping[str, Trace], view: View) -> Iterator[Any]:
    """Draw the descent; the weights' gradient where no run has deltas, and say so."""
    shown = view
    if view.variable == DELTA and not all(_has(trace, DELTA) for trace in traces.values()):
        shown = View(GRADIENT, view.relative)
        yield widgets.message(mo, "Delta was not measured in all of it: shown is |dE/dW|.")
    able = {name: trace for name, trace in traces.items() if _has(trace, shown.variable)}
    if able:
        yield widgets.figure(mo, profile_over_time(able, shown))


def _spikes(mo: Any, traces: Mapping[str, Trace]) -> Iterator[Any]:
    able = {
        name: trace
        for name, trace in traces.items()
        if not lacking(SPIKES, trace) and trace.dataset.sizes["step"] > 1 and _has(trace, GRADIENT)
    }
    if able:
        yield widgets.figure(mo, figure(SPIKES.name, SPIKES.draw(able)))


def _incidents(mo: Any, traces: Mapping[str, Trace]) -> Iterator[Any]:
    rows = [
        (name, alike)
        for name, trace in traces.items()
        if _has(trace, GRADIENT)
        for alike in together(incidents(trace))
    ]
    if not rows:
        yield mo.Html("<p>No spikes and no events.</p>")
        return
    left = len(rows) - MOST_HAPPENINGS
    yield widgets.table(
        mo,
        "Spikes and events"
        + (f", the last {MOST_HAPPENINGS}; {left:,} earlier ones are in an export" * (left > 0)),
        ("step", *(("run",) if len(traces) > 1 else ()), "what", "layer", "dex above usual", ""),
        (
            (
                _steps(alike),
                *((name,) if len(traces) > 1 else ()),
                alike[0].what if len(alike) == 1 else f"{alike[0].what}, {len(alike):,} times",
                alike[0].layer or "-",
                _largest(alike),
                alike[-1].detail,
            )
            for name, alike in rows[-MOST_HAPPENINGS:]
        ),
    )


def together(found: Sequence[Incident]) -> list[list[Incident]]:
    """Put what happens again and again, with nothing else between, into one row.

    >>> one = Incident("clipped", 3, "", "factor 0.5", 0.0)
    >>> [len(row) for row in together([one, one, one._replace(what="spike"), one])]
    [2, 1, 1]
    """
    return [list(row) for _, row in groupby(found, lambda each: (each.what, each.layer))]


def _steps(alike: Sequence[Incident]) -> str:
    first, last = alike[0].step, alike[-1].step
    return f"{first:,}" if first == last else f"{first:,} to {last:,}"


def _largest(alike: Sequence[Incident]) -> str:
    known = [each.dex for each in alike if np.isfinite(each.dex)]
    return f"{max(known):+.2f}" if known else "-"


def _settings_table(mo: Any, names: Sequence[str], runs: Sequence[SeenRun]) -> Any:
    rows = settings([each.trace.attributes for each in runs])
    differ = [(row.name, *row.values) for row in rows if row.differs]
    alike = [(row.name, *row.values[:1]) for row in rows if not row.differs]
    shown = []
    if len(runs) > 1:
        shown.append(widgets.table(mo, "What differs in how they were made", ("", *names), differ))
    caption = "How both were made, where it is the same" if len(runs) > 1 else "How it was made"
    table = widgets.table(mo, caption, ("setting", "value"), alike)
    shown.append(mo.Html(f"<details><summary>{escape(caption)}</summary>{table.text}</details>"))
    return mo.vstack(shown, gap=0.5)


def _report_link(mo: Any, runs: Sequence[SeenRun]) -> Iterator[Any]:
    """Offer the report, where there can be one: of runs of one kind, whole ones if trained."""
    found = [each.run for each in runs]
    whole = all(run.finished_replicates == run.replicates for run in found)
    if len({run.source for run in found}) == 1 and (whole or found[0].source == "watched"):
        link = escape(widgets.report_link([run.id for run in found]))
        what = "these runs" if len(found) > 1 else "this run"
        yield mo.Html(
            f'<p><a class="ut-link" href="{link}" target="_blank">Open the report</a> of {what}: '
            "one page, offline, with every figure.</p>"
        )


def _has(trace: Trace, variable: str) -> bool:
    return variable in trace.dataset and bool(trace.dataset[variable].notnull().any())
