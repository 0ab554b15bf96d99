"""Weights around an update: their norms before it, and what it changed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from torch import nn

from undertow.watching.torch import units
from undertow.watching.torch.layers import Module
from undertow.watching.torch.updates import Updates


class WeightChanges:
    """What a step's optimizers find of some weights, and what they make of them.

    >>> import torch
    >>> weight = torch.nn.Parameter(torch.ones(4))
    >>> changes = WeightChanges([], [weight])
    >>> changes.before([0], units_too=False)
    >>> _ = weight.detach().mul_(0.5)
    >>> changes.after()
    >>> changes.table[:, 0]
    array([2., 1., 0.])

    `table` has weight norms, norms of changes and the errors of these, [3, weights + 1]; the last
    column is always NaN, for what has no weight.
    """

    def __init__(self, modules: Sequence[Module], parameters: Sequence[nn.Parameter]) -> None:
        self._modules, self._updates = modules, Updates(parameters)
        self.table = np.full((3, len(parameters) + 1), np.nan)
        self.begin_step()

    def begin_step(self) -> None:
        """Forget the step before."""
        self.table.fill(np.nan)
        self.distinct: dict[int, float] = {}  # share of units that differ, by a weight's identity
        self._weighed: list[int] = []

    def before(self, places: list[int], *, units_too: bool) -> None:
        """Keep what an update may change."""
        if not places:
            return
        self.table[0, places] = self._updates.weight_norms(places)
        self._weighed += places
        self._updates.keep(places)
        if units_too and not self.distinct:
            self.distinct = units.distinct_by_parameter(self._modules)

    def after(self) -> None:
        """Compare the weights with what was kept of them."""
        self._updates.changes(self.table[1:])

    def since(self) -> np.ndarray:
        """Return changes and errors, [2, weights + 1], since what was kept, of whatever step."""
        found = np.full_like(self.table[1:], np.nan)
        self._updates.changes(found)
        return found

    def not_finite(self) -> set[int]:
        """Return the weights that were NaN or Inf before the update."""
        return {place for place in self._weighed if not math.isfinite(self.table[0, place])}
