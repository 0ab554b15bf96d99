"""The figures of a report, put under the questions that they answer, and numbered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from undertow.show.figure import Figure

# In the order of the page. A figure that no question names stands under the last.
QUESTIONS: dict[str, tuple[str, ...]] = {
    "Does the gradient reach every layer?": ("gradient-by-layer", "delta-by-layer"),
    "Where is it lost, and to what?": ("waterfall", "preactivations", "activations"),
    "Do the networks learn?": (
        "stuck",
        "test-accuracy",
        "ranking",
        "loss",
        "accuracy-over-time",
    ),
    "Does the gradient change in training?": ("gradient-over-time", "gradient-by-epoch"),
    "Do the weights show it?": ("weight-change-or-gradient", "first-weights"),
    "What was learned?": ("data", "decision-surface"),
    "What else was seen?": (),
}


class Numbered(NamedTuple):
    """A figure and its number on the page."""

    number: int
    figure: Figure


class Group(NamedTuple):
    """A question and the figures that answer it."""

    question: str
    figures: list[Numbered]


def group_figures(figures: Iterable[Figure]) -> list[Group]:
    """Put each figure under its question; questions without one are left out.

    >>> from undertow.show.figure import Figure
    >>> loss, new = (Figure(name, "", "", "", None) for name in ("loss", "new"))
    >>> [(group.question, group.figures[0].number) for group in group_figures([new, loss])]
    [('Do the networks learn?', 1), ('What else was seen?', 2)]
    """
    left = list(figures)
    last = list(QUESTIONS)[-1]
    groups, number = [], 0
    for question, names in QUESTIONS.items():
        found = [each for name in names for each in left if each.name == name]
        left = [each for each in left if each.name not in names]
        answers = left if question == last else found
        if answers:
            places = range(number + 1, number + len(answers) + 1)
            groups.append(Group(question, list(map(Numbered, places, answers))))
            number += len(answers)
    return groups
