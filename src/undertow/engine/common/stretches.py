"""Generators that compute in a context of their own, and yield outside it.

A `with` around a `yield` would hold for whoever takes what is yielded, too.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

import torch

from undertow.engine.common.threads import torch_threads

Yielded = TypeVar("Yielded")
Returned = TypeVar("Returned")


@contextmanager
def no_gradients(threads: int) -> Iterator[None]:
    """Compute on so many threads, and keep nothing for autograd.

    >>> with no_gradients(1):
    ...     torch.get_num_threads(), torch.is_grad_enabled()
    (1, False)
    """
    with torch_threads(threads), torch.no_grad():
        yield


def in_stretches(
    context: Callable[[], AbstractContextManager[object]],
    steps: Generator[Yielded, None, Returned],
) -> Generator[Yielded, None, Returned]:
    """Run a generator, each stretch up to its next `yield` in a new context.

    >>> def steps():
    ...     yield torch.is_grad_enabled()
    >>> [(within, torch.is_grad_enabled()) for within in in_stretches(torch.no_grad, steps())]
    [(False, True)]
    """
    try:
        while True:
            with context():
                try:
                    found = next(steps)
                except StopIteration as end:
                    return end.value
            yield found
    finally:
        with context():
            steps.close()
