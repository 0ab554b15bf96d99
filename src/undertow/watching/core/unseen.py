"""Layers that cannot be seen whole: said once, after the first steps, and taken back later."""

from __future__ import annotations

from collections.abc import Mapping

from undertow.watching.core import words
from undertow.watching.core.log import LOG
from undertow.watching.core.schedule import FIRST


class Unseen:
    """What could not be seen of some layers in any step so far, and why.

    A layer that is first reached in the third step is reached. What is said, in one line, is what
    none of the first steps has shown; it is taken back where a later one does.

    >>> unseen = Unseen()
    >>> unseen.look(1, {"head": "it was not called", "body": "it was not called"}, 4)
    >>> unseen.look(3, {"head": "it was not called"}, 4)
    >>> dict(unseen.reasons)
    {'head': 'it was not called'}
    """

    def __init__(self) -> None:
        self.reasons: Mapping[str, str] = {}
        self._count = 0
        self._looked = self._said = False

    @property
    def is_open(self) -> bool:
        """Tell whether the next step may change anything."""
        return not self._looked or bool(self.reasons)

    def look(self, step: int, found: Mapping[str, str], count: int) -> None:
        """Take what was not seen in a recorded step, of a model of `count` layers."""
        known, self._count = self.reasons, count
        self.reasons = {
            name: why for name, why in found.items() if not self._looked or name in known
        }
        self._looked = True
        if step >= FIRST:
            self.say()

    def say(self) -> None:
        """Say it, unless it was said."""
        if not self._said and self.reasons:
            self._said = True
            LOG.warning(words.unseen_line(self.reasons, self._count))
