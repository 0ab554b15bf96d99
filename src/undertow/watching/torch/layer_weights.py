"""The weights that a model's layers hold, and the optimizer that each belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from undertow.watching.torch.layers import Module

NOBODY = -1  # owns the weights that no optimizer has


class LayerWeights:
    """The weights of some layers, each once, with the number of its optimizer.

    >>> from undertow.watching.torch.layers import modules
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    >>> weights = LayerWeights(modules(net), [torch.optim.SGD(net[1].parameters())])
    >>> weights.owner, weights.owned[0], weights.layer_owner
    ([-1, 0], [1], [-1, 0])
    """

    def __init__(self, modules: Sequence[Module], optimizers: Sequence[Any]) -> None:
        held = [weight.parameter for module in modules for weight in module.weights]
        self.parameters = list(dict.fromkeys(held))
        self.place = {id(parameter): place for place, parameter in enumerate(self.parameters)}
        self.owner = [NOBODY] * len(self.parameters)  # of each weight
        for number, optimizer in enumerate(optimizers):
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    if id(parameter) in self.place:
                        self.owner[self.place[id(parameter)]] = number
        self.owned = {
            number: [place for place, each in enumerate(self.owner) if each == number]
            for number in set(self.owner)
        }
        firsts = [self.place[id(module.weights[0].parameter)] for module in modules]
        self.layer_owner = [self.owner[place] for place in firsts]
        self._reached: list[int] = []
        self._owners: frozenset[int] = frozenset()

    @property
    def dtype(self) -> np.dtype:
        """Return the type in which their norms are kept."""
        double = any(each.dtype == torch.float64 for each in self.parameters)
        return np.dtype(np.float64 if double else np.float32)

    def owners(self, reached: list[int]) -> frozenset[int]:
        """Return whose weights a pass has reached: as a rule the same as the pass before."""
        if reached is not self._reached:
            self._reached = reached
            self._owners = frozenset(self.owner[place] for place in reached)
        return self._owners
