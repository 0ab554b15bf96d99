"""The change that an optimizer makes to each weight, without a second copy of the model.

Of a tensor of up to `WHOLE` entries all are compared. Of a larger one `DRAWN` are, in blocks of
entries that lie side by side (which cost a cache line instead of sixteen), drawn at random, with
replacement, once for the whole run. The mean of the blocks' sums of squares, times the number of
blocks in the tensor, is an unbiased estimate of the squared norm, and their scatter gives its
standard error (Cochran, Sampling Techniques, 3rd ed. 1977, sections 2.6 and 9A.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from undertow.watching.gradients import local
from undertow.watching.norms import norms, numbers

WHOLE = 4096
DRAWN = 1024
BLOCKS = (16, 8, 4, 2, 1)  # entries of a block: the first that divides the tensor's


class Sample(NamedTuple):
    """What is compared of one parameter: everything, one block, or drawn blocks."""

    size: int  # of the parameter
    block: int  # entries
    drawn: Tensor | None  # places of blocks; None for all there is

    @property
    def blocks(self) -> int:
        """Return how many blocks are compared."""
        return 1 if self.drawn is None else len(self.drawn)


class Plan(NamedTuple):
    """What is compared of some parameters, one after the other."""

    samples: tuple[Sample, ...]
    entries: np.ndarray  # where each block begins among all compared entries
    blocks: np.ndarray  # where each parameter's blocks begin among all
    counts: np.ndarray  # blocks of each
    whole: np.ndarray  # blocks in each parameter as a whole


class Updates:
    """Entries of some parameters, kept from before an update until after it."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters = parameters
        # A generator of its own: the random numbers of the training stay as they are.
        self._generator = torch.Generator().manual_seed(0)
        self._plans: dict[tuple[int, ...], Plan] = {}
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
            samples = [self._sample(local(self._parameters[place])) for place in places]
            self._plans[key] = _plan(samples)
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
        for place, sample in zip(places, self._plans[places].samples, strict=True):
            flat = local(self._parameters[place]).reshape(-1)
            if sample.drawn is not None:
                flat = flat.view(-1, sample.block).index_select(0, sample.drawn).view(-1)
            parts.append(flat)
        if len({(part.dtype, part.device) for part in parts}) == 1:
            return _array(torch.cat(parts))
        return np.concatenate([_array(part) for part in parts])

    def _sample(self, tensor: Tensor) -> Sample:
        size = tensor.numel()
        if size <= WHOLE:
            return Sample(size, size, None)
        block = next(each for each in BLOCKS if size % each == 0)
        drawn = torch.randint(size // block, (DRAWN // block,), generator=self._generator)
        return Sample(size, block, drawn.to(tensor.device))


def _plan(samples: Sequence[Sample]) -> Plan:
    # The share of a process may be empty; it has no block, and `reduceat` no place for it.
    there = [sample for sample in samples if sample.size]
    blocks = [sample.block for sample in there for _ in range(sample.blocks)]
    counts = [sample.blocks for sample in there]
    return Plan(
        tuple(samples),
        np.array([0, *accumulate(blocks)][:-1], int),
        np.array([0, *accumulate(counts)][:-1], int),
        np.array(counts),
        np.array([sample.size // sample.block for sample in there]),
    )


def _change(plan: Plan, change: np.ndarray) -> np.ndarray:
    """Return the norms of the parameters' changes and their standard errors."""
    there = [sample.size > 0 for sample in plan.samples]
    found = np.zeros((2, len(there)))
    if not any(there):
        return found
    of_blocks = np.add.reduceat(change * change, plan.entries)
    sums = np.add.reduceat(of_blocks, plan.blocks)
    fourths = np.add.reduceat(of_blocks * of_blocks, plan.blocks)
    estimate = np.sqrt(sums * plan.whole / plan.counts)
    # The relative variance of the mean of n sums s is (mean s^2 / mean(s)^2 - 1) / n, and half its
    # root that of the mean's root.
    relative = fourths * plan.counts / np.where(sums > 0, sums, 1.0) ** 2 - 1
    error = np.sqrt(np.maximum(relative, 0.0) / plan.counts) / 2 * estimate
    error[sums == 0] = np.nan  # what changed, if anything did, was not among the drawn
    found[:, there] = estimate, np.where(plan.whole > 1, error, 0.0)
    return found


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.cpu().double().numpy()
