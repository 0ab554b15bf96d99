"""Two copies of one training, step by step in turn: what the watched one takes more.

Absolute times on a shared machine swing by half, so a watched step is only ever compared with the
bare step beside it, in the same process, and which of the two goes first changes with every pair.
Two bare copies against each other, the null control, say how far to trust the rest.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import cycle
from typing import Any, NamedTuple

import numpy as np
from scipy import stats
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

BLOCK = 20  # pairs; what a neighbour on the machine disturbs is longer than a pair
BLOCKS = 20  # at least so many, of fewer pairs then
RESAMPLES = 4_000

Batch = tuple[Tensor, Tensor]


class Training(NamedTuple):
    """A model with all it needs for a step."""

    model: nn.Module
    optimizer: Optimizer
    batches: Iterator[Batch]


def training(model: nn.Module, optimizer: Optimizer, batches: list[Batch]) -> Training:
    return Training(model, optimizer, cycle(batches))


def train(training: Training, between: Callable[[Tensor], object] | None = None) -> Tensor:
    """Take one step as most would write it; `between` is called with the loss after backward."""
    inputs, targets = next(training.batches)
    training.optimizer.zero_grad()
    outputs = training.model(inputs)
    loss = cross_entropy(outputs.flatten(0, -2), targets.flatten())
    loss.backward()
    if between:
        between(loss)
    training.optimizer.step()
    return loss.detach()


class Contender(NamedTuple):
    """A training that can be told to take a step; `watcher` is whatever looks on."""

    step: Callable[[], object]
    watcher: Any = None


Way = Callable[[Training], AbstractContextManager[Contender]]


@contextmanager
def bare(training: Training) -> Iterator[Contender]:
    yield Contender(lambda: train(training))


def watched(**options: Any) -> Way:
    """Return the way of `ut.watch` with these options, the loss logged."""

    @contextmanager
    def way(training: Training) -> Iterator[Contender]:
        import undertow as ut

        with ut.watch(training.model, training.optimizer, **options) as watch:
            yield Contender(lambda: watch.log(loss=train(training)), watch)

    return way


class Pairs(NamedTuple):
    """Seconds of each step, and the processor time of all other threads meanwhile."""

    watched: np.ndarray
    bare: np.ndarray
    elsewhere: float


def paired(
    watched: Contender,
    bare: Contender,
    pairs: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Pairs:
    """Time `pairs` steps of each in turn.

    The garbage collector waits while a step runs, for it would strike either; every block of pairs
    is followed by a collection that nobody's clock sees.
    """
    seconds = np.empty((pairs, 2))
    steps = (watched.step, bare.step)
    orders = ((0, 1), (1, 0))
    gc.collect()
    gc.freeze()
    gc.disable()
    process, thread = time.process_time(), time.thread_time()
    try:
        for pair in range(pairs):
            for place in orders[pair % 2]:
                start = clock()
                steps[place]()
                seconds[pair, place] = clock() - start
            if pair % BLOCK == BLOCK - 1:
                gc.collect()
    finally:
        gc.enable()
        gc.unfreeze()
    elsewhere = (time.process_time() - process) - (time.thread_time() - thread)
    return Pairs(seconds[:, 0], seconds[:, 1], max(elsewhere, 0.0))


class Ratio(NamedTuple):
    """Watched to bare: the median over pairs, and all seconds by all seconds with 95 %."""

    median: float
    mean: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


def ratio(watched: np.ndarray, bare: np.ndarray) -> Ratio:
    """Compare pairs; the interval comes from resampling whole blocks of them.

    The median hides what happens at a few steps only; the mean is what a user pays.
    """
    blocks = min(len(bare), max(BLOCKS, len(bare) // BLOCK))
    sums = np.array(
        [[part.sum() for part in np.array_split(seconds, blocks)] for seconds in (watched, bare)]
    )
    drawn = np.random.default_rng(0).integers(blocks, size=(RESAMPLES, blocks))
    above, below = sums[:, drawn].sum(2)
    low, high = np.quantile(above / below, [0.025, 0.975])
    mean = watched.sum() / bare.sum()
    return Ratio(float(np.median(watched / bare)), float(mean), float(low), float(high))


def pooled(copies: Sequence[tuple[np.ndarray, np.ndarray]]) -> Ratio:
    """Compare several pairs of copies, each (watched, bare).

    Where two copies of one net lie in memory makes one slower by a percent or two: the interval
    comes from how much the pairs of copies differ.
    """
    found = [ratio(*each) for each in copies]
    if len(found) == 1:
        return found[0]
    means = np.array([each.mean for each in found])
    half = stats.t.ppf(0.975, len(means) - 1) * means.std(ddof=1) / np.sqrt(len(means))
    median, mean = float(np.mean([each.median for each in found])), float(means.mean())
    return Ratio(median, mean, mean - half, mean + half)
