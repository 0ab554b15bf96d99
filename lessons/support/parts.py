"""What all lessons share: head, forecast, figure, verdict, and the run as a script."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any

from support.checks import Verdict
from undertow.app.pages.kit import widgets
from undertow.app.pages.playground import url
from undertow.app.server.lessons import TITLES
from undertow.show.figure import Figure
from undertow.spec.trial import Trial

ANSWER = "UNDERTOW_LESSON_ANSWER"  # JSON, in place of the right answer of a script
HOME, PLAYGROUND = "../../", "../../playground/"
LARGE = 14  # px: read from the last row


def is_script(mo: Any) -> bool:
    """Tell whether a lesson runs as a program, without anybody to answer."""
    return mo.app_meta().mode == "script"


def head(mo: Any, number: int, lead: str) -> Any:
    """Return the top of a lesson: where one is, its title, and what one can say after it."""
    others = "".join(
        f'<a href="../{each}/" title="{escape(title)}"'
        f"{' aria-current=page' if each == number else ''}>{each}</a>"
        for each, title in TITLES.items()
    )
    return mo.Html(
        f'<header class="ut-header"><nav aria-label="Lessons"><a class="ut-home" href="{HOME}">'
        f'Undertow</a><a href="{PLAYGROUND}">Playground</a><span>Lessons</span>{others}</nav>'
        f'<h1>{number}. {escape(TITLES[number])}</h1><p class="ut-lead">{escape(lead)}</p></header>'
    )


def forecast(mo: Any, question: str, start: float, stop: float, step: float) -> Any:
    """Return the question before the reveal, as a form whose value is None until it is sent."""
    number = mo.ui.number(start, stop, step, label=question)
    return number.form(submit_button_label="That is my guess", bordered=False)


def guessed(mo: Any, form: Any, usual: float) -> float | None:
    """Return the guess; a script makes the usual one."""
    return usual if is_script(mo) else form.value


def waiting(mo: Any) -> Any:
    """Ask for a guess first."""
    return widgets.message(mo, "Guess first: the figure comes after it, with your guess in it.")


def figure(mo: Any, shown: Figure, *, fit: bool = True) -> Any:
    """Show a figure as wide as the page, its words large enough for a lecture room."""
    drawn = shown.chart.to_dict(validate=False)
    drawn.pop("title", None)
    drawn["config"]["axis"] |= {"labelFontSize": LARGE, "titleFontSize": LARGE}
    drawn["config"]["legend"] |= {"labelFontSize": LARGE, "titleFontSize": LARGE}
    drawn["usermeta"] = {"embedOptions": {"actions": False}}
    if fit:
        drawn["width"] = "container"
    name = escape(shown.alt)
    region = "" if fit else f' tabindex="0" role="region" aria-label="{name}"'
    chart = mo.as_html(widgets.Drawn(drawn)).text
    return mo.Html(
        f'<div class="ut-lesson-figure"><h3 class="ut-message">{escape(shown.title)}</h3>'
        f'<div class="ut-scroll"{region}>{chart}</div><details><summary>How to read it</summary>'
        f"<p>{escape(shown.how_to_read)}</p></details></div>"
    )


def links(mo: Any, trials: Iterable[tuple[str, Trial]]) -> Any:
    """Return links to trials in the playground."""
    shown = " · ".join(
        f'<a href="{escape(PLAYGROUND + url.write_url(trial))}">{escape(words)}</a>'
        for words, trial in trials
    )
    return mo.Html(f'<p class="ut-claim">In the playground: {shown}</p>')


def answered(mo: Any, form: Any, right: Callable[[], Any]) -> Any:
    """Return what was answered, None before that; a script answers right, or what it is told to."""
    if not is_script(mo):
        return form.value
    told = os.environ.get(ANSWER)
    return json.loads(told) if told else right()


def verdict(mo: Any, *given: Verdict | None) -> Any:
    """Show what an answer is worth, each on a line of its own; None has not been answered."""
    return mo.vstack(
        [
            widgets.message(mo, each.said, "note" if each.right else "problem")
            for each in given
            if each
        ]
    )


def end(mo: Any, number: int, shown: Sequence[str], verdicts: Sequence[Verdict | None]) -> None:
    """Of a script: print what the lesson shows and the verdicts, and fail where one is wrong."""
    if not is_script(mo):
        return
    print(f"Lesson {number}. {TITLES[number]}")
    for line in shown:
        print(f"  {line}")
    for each in verdicts:
        mark = "right" if each and each.right else "wrong"
        print(f"  [{mark}] {each.said if each else 'no answer'}")
    sys.stdout.flush()
    if not all(each and each.right for each in verdicts):
        sys.exit(1)
