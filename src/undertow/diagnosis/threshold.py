"""A threshold: what a rule compares with, its unit, its reason, and what it may be changed to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Threshold:
    """A number that a rule compares with; it stands in the rule's file, beside the comparison.

    >>> Threshold("example", 2.5, "dex", "A gradient that falls by more is lost.", gt=0).default
    2.5

    Parameters
    ----------
    name : str
        Its field of `Thresholds`.
    default : float or int
        What it is where nobody changes it.
    unit, reason : str
        As pages and reports print them.
    gt, ge, lt, le : float, optional
        What it must be greater than, greater or equal, less, less or equal.
    place : int
        Where it stands in tables; one without a place of its own comes last.
    """

    name: str
    default: float
    unit: str
    reason: str
    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    place: int = 100
