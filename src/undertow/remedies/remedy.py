"""A remedy: what it is called, what to do, what speaks for and against it, what it changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from undertow.spec.trial import Trial


class Remedy(NamedTuple):
    """One remedy: all that is said of it and done with it stands in its one file.

    >>> Remedy("my-remedy", advice="do it").on_trial is None
    True

    Parameters
    ----------
    name : str
        As a diagnosis names it, and as the arm of an experiment that applies it is called.
    advice : str, optional
        What to do, in words that go on after its name; without it no diagnosis names it.
    strength, weakness, applies : str, optional
        What speaks for it, against it, and where it is the one to take.
    on_trial : callable, optional
        A trial of the laboratory -> the same trial with this one thing different.
    """

    name: str
    advice: str = ""
    strength: str = ""
    weakness: str = ""
    applies: str = ""
    on_trial: Callable[[Trial], Trial] | None = None
