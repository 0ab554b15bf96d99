"""What is trained to hold a watcher to its promises: a network, and its user's loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

Optimizers = list[Any]
Loss = Callable[[Any, int], Any]
Log = Callable[..., None]


class Case(NamedTuple):
    """A network, its optimizers, and one iteration of its user's loop.

    `loss(model, number)` is the loss of batch `number`; `step(model, optimizers, number, log)`
    makes one update, and calls `log(loss=...)` once. `dense` is how many steps a run has in which
    each is recorded.
    """

    name: str
    build: Callable[[], tuple[Any, Optimizers]]
    loss: Loss
    step: Callable[[Any, Optimizers, int, Log], None]
    dense: int = 30
