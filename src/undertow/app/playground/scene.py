"""What is seen of a trial: the walk of the gradient, how it learns, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from undertow.app import insight, parts
from undertow.app.playground.session import AS_IT_IS, Picture
from undertow.diagnosis.remedies import ADVICE
from undertow.lab import readings
from undertow.lab.treatment import can_treat
from undertow.lab.trial import Trial
from undertow.show import verdict, walk
from undertow.show.axes import scientific
from undertow.show.figure import figure
from undertow.show.figures import curves, surface
from undertow.show.figures.data import data as draw_data
from undertow.show.figures.descent import descent
from undertow.show.figures.waterfall import by_cause
from undertow.show.walk import View
from undertow.statistics.bands import median
from undertow.trace.record import Trace

MOST_REMEDIES = 4
DATA_SIZE = (260, 170)
ALL_SEEDS = 24  # up to which the dots are drawn one by one


def scene(
    mo: Any,
    trial: Trial,
    picture: Picture,
    view: View,
    buttons: Mapping[str, Any],
    *,
    paused: bool = False,
) -> Any:
    """Return what is seen of a picture; `buttons` has one for each remedy."""
    traces, line = picture.traces, picture.line
    if not traces:
        return parts.message(mo, line, "problem")
    if line:
        line = f"{'paused after' if paused else 'training,'} {line}"
    diagnoses, budgets = insight.of_arms(traces)
    learning = _course(mo, traces)
    middle = mo.vstack(
        [
            *([mo.Html(f'<p class="ut-state" role="status">{escape(line)}</p>')] if line else []),
            parts.figure(mo, descent(traces, view)),
            learning,
        ],
        gap=0.75,
    )
    side = mo.vstack(
        [
            _difference(mo, traces),
            *(
                _verdict(mo, name, trace, diagnoses[name], budgets.get(name), len(traces) > 1)
                for name, trace in traces.items()
            ),
            _remedies(mo, trial, diagnoses[AS_IT_IS], buttons),
            mo.Html(
                f'<p class="ut-quiet">{escape(verdict.GLOSS)} {escape(_small_print(trial))}</p>'
            ),
        ],
        gap=0.75,
    )
    return mo.Html(
        f'<div class="ut-scene"><section aria-label="Measured">{middle.text}</section>'
        f'<section aria-label="Verdict" class="ut-side">{side.text}</section></div>'
    )


def _small_print(trial: Trial) -> str:
    """Say what no picture shows: nothing on the page is hidden."""
    training = trial.training
    return (
        f"Seeds {trial.seeds[0]} to {trial.seeds[-1]}; the loss is binary cross-entropy, a mean "
        f"over batches of {training.batch_size}; biases are trained too; a fifth of the "
        f"{trial.data.samples} samples is held out."
    )


def _course(mo: Any, traces: Mapping[str, Trace]) -> Any:
    """Return loss, accuracy and the plane; before training, the data."""
    one = next(iter(traces.values()))
    if one.dataset.sizes["step"] == 1:
        return parts.figure(mo, figure("data", draw_data(traces)), size=DATA_SIZE)
    shown = [
        figure("loss", curves.loss(traces)),
        figure("accuracy", curves.accuracy(traces)),
    ]
    if all("decision_grid" in trace.artefacts for trace in traces.values()):
        shown.append(figure("surface", surface.surface(traces)))
    return mo.hstack(
        [parts.figure(mo, each) for each in shown], wrap=True, justify="start", align="start"
    )


def _difference(mo: Any, traces: Mapping[str, Trace]) -> Any:
    arms = list(traces.items())
    if len(arms) < 2 or any(trace.dataset.sizes["step"] == 1 for _, trace in arms):
        return mo.Html("")
    (_, before), (remedy, after) = arms[0], arms[-1]
    return mo.Html(
        f'<p class="ut-difference"><strong>{escape(remedy)}:</strong> '
        f"{escape(walk.difference(before, after))}</p>"
    )


def _verdict(
    mo: Any,
    name: str,
    trace: Trace,
    document: Mapping[str, Any],
    budget: Mapping[str, Any] | None,
    several: bool,
) -> Any:
    root = document["root_cause"]
    what = f"{escape(name)}: " if several else ""
    said = escape(verdict.headline(document).capitalize())
    if root:
        said = (
            f"<strong>{escape(root['title'].capitalize())}</strong> "
            f'<span class="ut-code" title="the rule that found it">{root["code"]}</span>'
        )
    words = f'<p class="ut-verdict ut-{document["outcome"]}">{what}{said}</p>'
    if root:
        words += f"<p>{escape(root['evidence'])}.</p>"
    shown = [mo.Html(words)]
    shown.append(mo.Html(_dots(trace)))
    if budget:
        shown.append(parts.figure(mo, by_cause(budget)))
    return mo.vstack(shown, gap=0.25)


def _dots(trace: Trace) -> str:
    """Draw a mark a seed: filled has learned, a cross is stuck."""
    if trace.dataset.sizes["step"] == 1 or "test_accuracy" not in trace.dataset:
        return ""
    stuck = readings.is_stuck(trace)
    said = f"{int(stuck.sum())} of {len(stuck)} seeds stuck"
    marks = "".join(
        f'<span class="{"ut-stuck" if each else "ut-learned"}">{"✕" if each else "●"}</span>'
        for each in stuck
    )
    shown = f'<span aria-hidden="true">{marks}</span> ' if len(stuck) <= ALL_SEEDS else ""
    return f'<p class="ut-dots">{shown}{said}</p>{_proxy(trace)}'


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


def _remedies(
    mo: Any, trial: Trial, document: Mapping[str, Any], buttons: Mapping[str, Any]
) -> Any:
    root = document["root_cause"]
    names = [name for name in (root["remedies"] if root else ()) if can_treat(name, trial)]
    if not names:
        return mo.Html("")
    shown = [buttons[name] for name in names[:MOST_REMEDIES]]
    return mo.vstack(
        [
            mo.Html('<h3 class="ut-message">What helps, most effect first</h3>'),
            mo.hstack(shown, wrap=True, justify="start", gap=0.5),
            mo.Html(f'<p class="ut-quiet">{escape(names[0])}: {escape(ADVICE[names[0]])}.</p>'),
        ],
        gap=0.25,
    )
