"""A rule: what it is called, what it needs, and one pure function from a reading to an outcome."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from undertow.diagnosis.evidence import Evidence

SEVERITIES = ("critical", "serious")


class Found(NamedTuple):
    """The rule's fault is there.

    `where` marks replicates, `layers` the faulty layers of each, [R, L], in the order of the
    trace; `at_start` says of which replicates it was there from the first recorded step on.
    `evidence` is a line with the numbers.
    """

    where: np.ndarray
    layers: np.ndarray
    at_start: np.ndarray
    evidence: str


class Passed(NamedTuple):
    """The rule looked, and its fault is not there."""

    reason: str = ""


class NotApplicable(NamedTuple):
    """The rule's question does not arise; `reason` completes "because ..."."""

    reason: str


class NotMeasured(NamedTuple):
    """The trace lacks what the rule needs."""

    reason: str


Outcome = Found | Passed | NotApplicable | NotMeasured


class Rule(NamedTuple):
    """A diagnosis rule: all that is said of a fault stands in its one file and on its page.

    >>> rule = Rule("UT199", "an example", "serious", ("loss",), lambda evidence: Passed())
    >>> rule.page
    'docs/rules/UT199.md'

    Parameters
    ----------
    code, title, severity : str
        The severity is one of `SEVERITIES`.
    needs : tuple of str
        Variables of the trace without which it cannot be judged.
    check : callable
        From the evidence to an outcome; pure.
    before : tuple of str
        Codes of the rules whose fault lies downstream of this one's: where both are found, this
        is the root cause. With none the rule comes last.
    explains : tuple of str
        Codes whose fault is a symptom of this one's, whatever the order says.
    remedies : tuple of str, or callable
        What helps, most effect first; where it depends, a function of the evidence and of the
        sentence that was found.
    """

    code: str
    title: str
    severity: str
    needs: tuple[str, ...]
    check: Callable[[Evidence], Outcome]
    before: tuple[str, ...] = ()
    explains: tuple[str, ...] = ()
    remedies: tuple[str, ...] | Callable[[Evidence, str], tuple[str, ...]] = ()

    @property
    def page(self) -> str:
        """Return the path of the page that explains it."""
        return f"docs/rules/{self.code}.md"


def judge(rule: Rule, reading: Evidence) -> Outcome:
    """Apply a rule to a reading; where the trace lacks what it needs, or ends before it begins."""
    if reading.layers == 0 or len(reading.steps) == 0:
        return NotMeasured("the trace holds no recorded step")
    missing = [name for name in rule.needs if not reading.has(name)]
    if missing:
        return NotMeasured(f"the trace holds no {', '.join(missing)}")
    return rule.check(reading)


def nowhere(reading: Evidence) -> np.ndarray:
    """Return marks for all replicates and layers, none of them set."""
    return np.zeros((reading.replicates, reading.layers), bool)


def make_found(
    where: np.ndarray, layers: np.ndarray, at_start: np.ndarray | bool, evidence: str
) -> Found:
    """Make a Found; `at_start` may be one answer for all."""
    return Found(where, layers & where[:, None], np.broadcast_to(at_start, where.shape), evidence)


def middle(values: np.ndarray, where: np.ndarray) -> float:
    """Return the median over the marked replicates of what is known.

    >>> middle(np.array([1.0, 9.0, np.nan]), np.array([True, True, True]))
    5.0
    """
    known = values[where & ~np.isnan(values)]
    return float(np.median(known)) if known.size else float("nan")
