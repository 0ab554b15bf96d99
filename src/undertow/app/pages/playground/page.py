"""What the cells of the playground call: opening an address, laying out, drawing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from undertow.app.pages.kit import redraw, widgets
from undertow.app.pages.kit.request import query_words
from undertow.app.pages.playground import controls, url
from undertow.app.pages.playground.session import Request, Session, begin
from undertow.app.pages.playground.view import trial_view
from undertow.data import toy
from undertow.errors import UndertowError
from undertow.experiments.presets import PRESETS
from undertow.remedies import ADVICE
from undertow.remedies.on_trial import ON_TRIAL
from undertow.show.layer_profile import View
from undertow.spec.trial import Trial

POLL = 0.03  # seconds between two questions for a new picture


def opening(mo: Any) -> tuple[Trial, str, frozenset[str]]:
    """Return the trial of the address, what is wrong with it, and which controls are hidden."""
    words = query_words(mo)
    locked = frozenset(filter(None, words.get("lock", "").split(",")))
    try:
        return url.read_url(words), "", locked
    except UndertowError as error:
        return PRESETS[0].trial, f"{error} Shown is preset 1.", locked


def top(mo: Any, trial: Trial, complaint: str) -> Any:
    """Return the head of the page, the presets, and what is wrong with the address."""
    lead = (
        "A gradient starts at the top, at the loss, and walks down through the layers. Here is how "
        "much arrives at the input: what theory predicts, what one pass measures, and what "
        "training makes of it."
    )
    shown = [widgets.header(mo, "playground", lead), chips(mo, trial)]
    return mo.vstack([*shown, *([widgets.message(mo, complaint, "problem")] if complaint else [])])


def buttons(
    mo: Any, session: Session, ask: Callable[..., None], reseed: Callable[[], None]
) -> tuple[Any, ...]:
    """Return Train, Step, Reset and New seeds."""

    def press_train(_: object) -> None:
        if not session.running:
            ask("train")
        elif session.go.is_set():
            session.hold()
        else:
            session.release()

    def press_step(_: object) -> None:
        if session.running:
            session.release(single=True)
        else:
            ask("step")

    button = mo.ui.button
    return (
        button(label="Train / pause", on_click=press_train),
        button(label="Step", tooltip="train for one epoch, then pause", on_click=press_step),
        button(label="Reset", tooltip="the same seeds again", on_click=lambda _: ask("look")),
        button(label="New seeds", on_click=lambda _: reseed()),
    )


def remedies(mo: Any, ask: Callable[..., None]) -> Any:
    """Return a button for every remedy; a verdict shows those that it names.

    All of them beforehand, for marimo heeds only what a cell has given a name.
    """
    return mo.ui.dictionary(
        {
            name: mo.ui.button(
                label=f"Apply {name}",
                tooltip=ADVICE[name],
                on_click=lambda _, name=name: ask("treat", name),
            )
            for name in ON_TRIAL
        }
    )


def chips(mo: Any, trial: Trial) -> Any:
    """Return the presets as links, and the claim of the one that is open."""
    links, said = [], ""
    for preset in PRESETS:
        here = trial in (preset.trial, *(twist for _, twist in preset.twists))
        current = ' aria-current="true"' if here and not said else ""
        links.append(
            f'<a href="{escape(url.write_url(preset.trial))}"{current}>'
            f"{preset.number} {escape(preset.name)}</a>"
        )
        if here and not said:
            twists = " · ".join(
                f'<a href="{escape(url.write_url(twist))}">{escape(words)}</a>'
                for words, twist in (("as it begins", preset.trial), *preset.twists)
                if twist != trial
            )
            said = (
                f'<p class="ut-claim"><strong>{escape(preset.claim)}</strong> '
                f"{escape(preset.forecast)} <span>Then look at it {twists}.</span></p>"
            )
    return mo.Html(f'<nav class="ut-chips" aria-label="Presets">{"".join(links)}</nav>{said}')


def panel(
    mo: Any,
    shape: Any,
    pace: Mapping[str, Any],
    buttons: list[Any],
    views: list[Any],
    table: Any,
    locked: frozenset[str],
) -> Any:
    """Lay the controls out: eight to see, the rest in a drawer."""

    def column(words: tuple[str, ...], among: Any) -> list[Any]:
        return [among[word] for word in words if word not in locked]

    later = mo.Html('<p class="ut-quiet">From the next Train on:</p>')
    drawer = [*column(controls.SHAPE_DRAWER, shape), table, later]
    drawer += column(controls.PACE_DRAWER, pace)
    shown = [*column(controls.SHAPE, shape), later, *column(controls.PACE, pace)]
    return mo.Html(
        '<section class="ut-controls" aria-label="Controls"><div class="ut-actions">'
        f"{mo.hstack(buttons, wrap=True, justify='start', gap=0.4).text}</div>"
        f"{mo.vstack(shown, gap=0.25).text}{mo.vstack(views, gap=0.25).text}"
        f"<details><summary>More controls</summary>{mo.vstack(drawer, gap=0.25).text}</details>"
        "</section>"
    )


def draw(
    mo: Any,
    session: Session,
    now: Callable[[], Trial],
    *,
    request: Request,
    view: View,
    table: Any,
    remedies: Any,
    live: bool,
    moved: object,
) -> None:
    """Begin what was asked for; a control that moved asks for a look. Then paint until it ends.

    With `live` it asks for a training.

    Another view of the same subject disturbs nothing that is under way. `moved` is what makes
    marimo call again.
    """
    del moved
    try:
        trial = now()
    except UndertowError as error:
        mo.output.replace(widgets.message(mo, str(error), "problem"))
        return
    keep_address(mo, trial)
    contents = table.contents()
    text = contents.decode("utf-8", "replace") if contents else None
    fresh, subject = request.number != session.asked, _subject(trial, text)
    if fresh or subject != session.subject:
        session.asked, session.subject = request.number, subject
        moving = Request("train" if live and session.trial else "look")
        begin(
            session, request if fresh else moving, trial, lambda spec: toy.make_samples(spec, text)
        )
    mo.Thread(target=_paint, args=(mo, session, view, remedies), daemon=True).start()


def _paint(mo: Any, session: Session, view: View, remedies: Any) -> None:
    """Show each new picture until the worker ends, or marimo calls another painter."""
    painter, seen = mo.current_thread(), (0, False)
    while not painter.should_exit:
        session.seen_at = time.monotonic()
        running, paused, picture = session.running, session.paused, session.picture
        if picture.version and (picture.version, paused) != seen and session.trial:
            seen = (picture.version, paused)
            shown = trial_view(mo, session.trial, picture, view, remedies, paused=paused)
            redraw.replace(mo, painter, shown)
        elif not running:
            return
        else:
            time.sleep(POLL)


def _subject(trial: Trial, table: str | None) -> tuple[object, ...]:
    """Return what the picture is of: not how it will be trained."""
    return (trial.data, trial.network, trial.replicates, trial.seed, table)


def keep_address(mo: Any, trial: Trial) -> None:
    """Write the trial into the address bar, so that what is copied is what is seen."""
    # All that stand there but `lock`, those that nobody knows too.
    there = [word for word in mo.query_params().to_dict() if word != "lock"]
    redraw.keep_address(mo, there, url.words(trial))
