"""The contract of an engine: what it is given, what it hands over, what it promises."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Literal, NamedTuple, Protocol

import numpy as np

from undertow.data.dataset import Data
from undertow.engine.common.batches import Batch
from undertow.engine.common.networks import Networks
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.trace.record import Chunk

EngineName = Literal["torch", "lanes"]
Artefacts = dict[str, np.ndarray]
Epochs = Generator[Chunk, None, Artefacts]  # a chunk an epoch; at the end the artefacts


def _nothing() -> None:
    pass


def _no_artefacts(_networks: Networks, _batch: Batch) -> Artefacts:
    return {}


class Hooks(NamedTuple):
    """What an engine calls on its way; each may be left out.

    >>> Hooks(before_step=lambda: print("on it")).before_step()
    on it

    `before_step` is called before the first step, and at least ten times a second from then on; it
    may hold the training up, or end it by an error. `at_first_batch` is called once, before the
    first step, with the networks as they were drawn and the batch of each; what it returns is
    among the artefacts. `after_epoch` is called after each epoch, when its chunk was taken, with a
    function that draws the plane as it is then.
    """

    before_step: Callable[[], None] = _nothing
    at_first_batch: Callable[[Networks, Batch], Artefacts] = _no_artefacts
    after_epoch: Callable[[Callable[[], Artefacts]], None] | None = None


NO_HOOKS = Hooks()


class Engine(Protocol):
    """One function: R networks trained in one pass, a chunk of the trace an epoch.

    It promises:

    - A chunk an epoch, in order; steps and epochs count from 1, over all stages of the training.
      Its arrays are those of the schema, [R, steps] or [R, steps, layers].
    - Steps 1 to 10, every `every`-th and the last of each epoch are recorded; which are changes
      none of them. The test set is measured at the end of each epoch.
    - A replicate is its seed's, whatever its neighbours: to the bit in lanes, in the torch engine
      to float32 round-off, for products of another size are summed in another order. First weights
      are drawn by the network that `drawn_from` has for it; all else is as `spec` says.
    - The hooks are called when `Hooks` says.
    - The artefacts are whole: how the first layer changed, histograms of the first and the last
      step, the plane where the data have two inputs, and what `at_first_batch` returned.
    - Between two chunks whoever takes them finds PyTorch as he left it, gradients and threads; he
      may close the generator at any of them.
    """

    def __call__(
        self,
        spec: NetworkSpec,
        training: TrainingSpec,
        data: Data,
        seeds: Sequence[int],
        *,
        every: int = 1,
        drawn_from: Sequence[NetworkSpec] | None = None,
        hooks: Hooks = NO_HOOKS,
    ) -> Epochs: ...


def hand_over(epochs: Epochs, receive: Callable[[Chunk], None]) -> Artefacts:
    """Hand each chunk to `receive` as it comes, and return the artefacts.

    >>> def epochs():
    ...     yield "a chunk"
    ...     return {}
    >>> hand_over(epochs(), print)
    a chunk
    {}
    """
    with closing(epochs):
        while True:
            try:
                chunk = next(epochs)
            except StopIteration as end:
                return end.value
            receive(chunk)
