"""What is seen of a trial: the walk of the gradient, how it learns, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from undertow.app.pages.kit import cards, widgets
from undertow.app.pages.playground.session import AS_IT_IS, Picture
from undertow.remedies import ADVICE
from undertow.remedies.on_trial import applies_to_trial
from undertow.show.figure import figure
from undertow.show.figures.data import data as draw_data
from undertow.show.figures.profile_over_time import profile_over_time
from undertow.show.layer_profile import View
from undertow.show.terminal import verdict
from undertow.spec.trial import Trial
from undertow.trace.record import Trace
from undertow.verbs.arms import diagnose_and_explain

MOST_REMEDIES = 4
DATA_SIZE = (260, 170)


def trial_view(
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
        return widgets.message(mo, line, "problem")
    if line:
        line = f"{'paused after' if paused else 'training,'} {line}"
    diagnoses, budgets = diagnose_and_explain(traces)
    learning = _course(mo, traces)
    middle = mo.vstack(
        [
            *([mo.Html(f'<p class="ut-state" role="status">{escape(line)}</p>')] if line else []),
            widgets.figure(mo, profile_over_time(traces, view)),
            learning,
        ],
        gap=0.75,
    )
    side = mo.vstack(
        [
            cards.difference(mo, traces),
            *(
                cards.verdict_card(
                    mo,
                    name if len(traces) > 1 else "",
                    trace,
                    diagnoses[name],
                    budgets.get(name),
                )
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
    if next(iter(traces.values())).dataset.sizes["step"] == 1:
        return widgets.figure(mo, figure("data", draw_data(traces)), size=DATA_SIZE)
    return cards.course(mo, traces)


def _remedies(
    mo: Any, trial: Trial, document: Mapping[str, Any], buttons: Mapping[str, Any]
) -> Any:
    root = document["root_cause"]
    names = [name for name in (root["remedies"] if root else ()) if applies_to_trial(name, trial)]
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
