"""The change that an optimizer makes to each weight, without a second copy of the model.

Of a tensor of up to `WHOLE` entries all are compared. Of a larger one `DRAWN` are drawn at random,
with replacement, once for the whole run; the mean square of their changes, times the tensor's size,
is an unbiased estimate of the squared norm, and their scatter gives its standard error (Cochran,
Sampling Techniques, 3rd ed. 1977, section 2.6).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from undertow.watching.torch.norms import norms, numbers
from undertow.watching.torch.weight_gradients import local

WHOLE = 4096
DRAWN = 1024


class UpdatePlan(NamedTuple):
    """Which entries of some parameters are compared, one parameter after the other."""

    drawn: list[Tensor | None]  # places in each flattened parameter; None for all
    starts: np.ndarray  # where each parameter's entries begin
    counts: np.ndarray
    sizes: np.ndarray  # of the parameters


class Updates:
    """Entries of some parameters, kept from before an update until after it."""

    def __init__(self, parameters: Sequence[nn.Parameter], seed: int = 0) -> None:
        self._parameters = parameters
        # A generator of its own: the random numbers of the training stay as they are.
        self._generator = torch.Generator().manual_seed(seed)
        self._plans: dict[tuple[int, ...], UpdatePlan] = {}
        self._before: dict[tuple[int, ...], np.ndarray] = {}  # by the parameters' places

    @torch.no_grad()
    def weight_norms(self, places: Sequence[int]) -> np.ndarray:
        """Return the norm of these parameters as they are now, of a sharded one its share here."""
        return numbers(norms([local(self._parameters[place]) for place in places]))

    @torch.no_grad()
    def keep(self, places: Sequence[int]) -> None:
        """Keep entries of these parameters as they are now."""
        key = tuple(places)
        if key not in self._plans:
            self._plans[key] = self._plan(places)
        self._before[key] = self._entries(key)

    @torch.no_grad()
    def changes(self, into: np.ndarray) -> None:
        """Write the norm of each change since `keep`, and its standard error, [2, parameters]."""
        before, self._before = self._before, {}
        for places, entries in before.items():
            into[:, places] = _change(self._plans[places], self._entries(places) - entries)

    def _entries(self, places: tuple[int, ...]) -> np.ndarray:
        """Return the planned entries as they are now, waiting once a device."""
        parts = []
        for place, drawn in zip(places, self._plans[places].drawn, strict=True):
            flat = local(self._parameters[place]).reshape(-1)
            parts.append(flat if drawn is None else flat.index_select(0, drawn))
        if len({(part.dtype, part.device) for part in parts}) == 1:
            return _array(torch.cat(parts))
        return np.concatenate([_array(part) for part in parts])

    def _plan(self, places: Sequence[int]) -> UpdatePlan:
        here = [local(self._parameters[place]) for place in places]
        drawn = [None if each.numel() <= WHOLE else self._draw(each) for each in here]
        counts = np.array(
            [
                min(each.numel(), DRAWN if i is not None else WHOLE)
                for each, i in zip(here, drawn, strict=True)
            ]
        )
        sizes = np.array([each.numel() for each in here])
        return UpdatePlan(drawn, np.cumsum(counts) - counts, counts, sizes)

    def _draw(self, tensor: Tensor) -> Tensor:
        drawn = torch.randint(tensor.numel(), (DRAWN,), generator=self._generator)
        return drawn.to(tensor.device)


def _change(plan: UpdatePlan, change: np.ndarray) -> np.ndarray:
    """Return the norms of the parameters' changes and their standard errors."""
    squares = change * change
    # The share of a process may be empty; `reduceat` would give it its neighbour's first entry.
    there = plan.counts > 0
    found = np.zeros((2, len(there)))
    if not there.any():
        return found
    starts, counts, sizes = plan.starts[there], plan.counts[there], plan.sizes[there]
    sums = np.add.reduceat(squares, starts)
    fourths = np.add.reduceat(squares * squares, starts)
    estimate = np.sqrt(sums * sizes / counts)
    # The relative variance of a mean of squares s is (mean s^2 / mean(s)^2 - 1) / count, and half
    # its root that of the mean's root.
    relative = fourths * counts / np.where(sums > 0, sums, 1.0) ** 2 - 1
    error = np.sqrt(np.maximum(relative, 0.0) / counts) / 2 * estimate
    error[sums == 0] = np.nan  # what changed, if anything did, was not among the drawn
    found[:, there] = estimate, np.where(sizes > counts, error, 0.0)
    return found


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.cpu().double().numpy()
