"""What the cells of the page of experiments call: controls, training, and looking on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from undertow.app.pages.experiments import train_process, url
from undertow.app.pages.experiments.progress import ArmNow, progress
from undertow.app.pages.experiments.url import StudyRequest
from undertow.app.pages.experiments.view import study_view
from undertow.app.pages.kit import redraw, widgets
from undertow.app.pages.kit.request import PageContext, page_context, query_words
from undertow.errors import UndertowError
from undertow.experiments import experiment, names
from undertow.trace.store.reader import open as open_store
from undertow.verbs.which_study import known_study

POLL = 0.5  # seconds between two looks at the store
MOST_NETWORKS, MOST_EPOCHS_FROM_A_PAGE, MOST_SEED = 1_000, 1_000, 10**6  # from a page


def opening(mo: Any) -> tuple[PageContext, StudyRequest, str]:
    """Return what the server told, the study of the address, and what is wrong with it."""
    context = page_context(mo)
    try:
        return context, url.read_url(query_words(mo)), ""
    except UndertowError as error:
        return context, StudyRequest(), f"{error} Shown is moons."


def top(mo: Any, context: PageContext, complaint: str) -> Any:
    """Return the head of the page."""
    lead = (
        f"{len(names())} studies of how a gradient is lost and kept, each over many seeds, each "
        f"with the published claims that it decides. They train into the store {context.store}; "
        "what is there is not trained again."
    )
    shown = [widgets.header(mo, "experiments", lead)]
    return mo.vstack([*shown, *([widgets.message(mo, complaint, "problem")] if complaint else [])])


def menu(mo: Any, began: StudyRequest) -> Any:
    """Return the control that chooses a study."""
    return mo.ui.dropdown(sorted(names()), began.study, label="experiment")


def sizes(mo: Any, study: str, began: StudyRequest) -> Any:
    """Return the controls of a study's size: what the address says of it, else what it says."""
    usual, ui = _usual(study), mo.ui
    words = began._asdict() if study == began.study else {}
    value = {word: usual[word] if words.get(word) is None else words[word] for word in usual}
    return ui.dictionary(
        {
            "replicates": ui.number(
                1, MOST_NETWORKS, value=min(value["replicates"], MOST_NETWORKS), label="networks"
            ),
            "epochs": ui.number(
                1,
                MOST_EPOCHS_FROM_A_PAGE,
                value=min(value["epochs"], MOST_EPOCHS_FROM_A_PAGE),
                label="epochs",
            ),
            "seed": ui.number(
                0, MOST_SEED, value=min(value["seed"], MOST_SEED), label="first seed"
            ),
        }
    )


def now(study: str, values: Mapping[str, Any]) -> StudyRequest:
    """Return the study that the controls spell; a number that is the study's own is left out."""
    numbers = {
        word: None if values[word] in (None, usual) else int(values[word])
        for word, usual in _usual(study).items()
    }
    return StudyRequest(study, numbers["replicates"], numbers["epochs"], numbers["seed"] or 0)


def _usual(study: str) -> dict[str, int]:
    from undertow.studies.study import usual_replicates

    found = experiment(study)
    return {
        "replicates": usual_replicates(found),
        "epochs": found.arms[0].training.epochs,
        "seed": StudyRequest().seed,
    }


def buttons(mo: Any, context: PageContext, menu: Any, sizes: Any) -> tuple[Any, Any]:
    """Return Train and Stop."""

    def stop(_: object) -> None:
        found = train_process.last(menu.value, context)
        if found:
            found.stop()

    train = mo.ui.button(
        label="Train / go on",
        tooltip="trains what the store lacks",
        on_click=lambda _: train_process.begin(now(menu.value, sizes.value), context),
    )
    return train, mo.ui.button(label="Stop", tooltip="what is done is kept", on_click=stop)


def panel(mo: Any, menu: Any, sizes: Any, train: Any, stop: Any) -> Any:
    """Lay the controls out in a row."""
    row = mo.hstack([menu, *sizes.values(), train, stop], wrap=True, justify="start", align="end")
    return mo.Html(f'<section class="ut-choice" aria-label="Controls">{row.text}</section>')


def draw(mo: Any, context: PageContext, request: StudyRequest) -> None:
    """Keep the address, and look on until marimo calls another painter."""
    redraw.keep_address(mo, url.WORDS, url.words(request))
    mo.Thread(target=_look_on, args=(mo, context, request), daemon=True).start()


def _look_on(mo: Any, context: PageContext, request: StudyRequest) -> None:
    """Draw when there is something new, by whomever it is trained."""
    painter, seen = mo.current_thread(), None
    while not painter.should_exit:
        began = time.monotonic()
        try:
            plan = url.plan(request, context)
            arms = progress(context.store, plan)
            said = _last_words(train_process.last(request.study, context))
            if (arms, said) != seen:
                seen = (arms, said)
                shown = _document(context.store, plan.experiment.name, _whole_arms(arms))
                redraw.replace(
                    mo,
                    painter,
                    study_view(mo, plan, url.command_line(request, context), arms, said, shown),
                )
        except UndertowError as error:
            if seen != str(error):
                seen = str(error)
                redraw.replace(mo, painter, widgets.message(mo, seen, "problem"))
        redraw.wait(painter, max(POLL, time.monotonic() - began))


def _last_words(under_way: train_process.Training | None) -> str:
    """Say what the training that was begun here is doing, in its own last words."""
    if under_way is None:
        return ""
    last = under_way.said[-1] if under_way.said else ""
    if under_way.status is None:
        return f"Training. {last}"
    if under_way.status == 0:
        return "Trained."
    if under_way.status in train_process.STOPPED:
        return "Stopped: what is done is kept, and Train goes on from there."
    return f"Ended: {last or f'status {under_way.status}'}"


def _whole_arms(arms: Sequence[ArmNow]) -> tuple[tuple[str, str], ...]:
    return tuple((arm.arm, arm.run) for arm in arms if arm.state == "finished")


@lru_cache(maxsize=8)
def _document(store: str, name: str, whole: tuple[tuple[str, str], ...]) -> Mapping[str, Any]:
    """Summarise the arms that are whole; they do not change any more."""
    if not whole:
        return {}
    from undertow.studies import summary

    with open_store(store) as opened:
        runs = {arm: (run, opened.trace(run)) for arm, run in whole}
    return summary.document(known_study(name, runs), runs)
