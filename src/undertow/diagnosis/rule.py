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
    """A diagnosis rule. Its page is docs/rules/CODE.md."""

    code: str
    title: str
    severity: str
    needs: tuple[str, ...]
    check: Callable[[Evidence], Outcome]

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
