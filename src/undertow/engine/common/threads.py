"""How many threads PyTorch computes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


def thread_count() -> int:
    """Return how many threads PyTorch computes on.

    >>> thread_count() >= 1
    True
    """
    import torch

    return torch.get_num_threads()


def compute_on(number: int) -> None:
    """Let PyTorch compute on so many threads from now on.

    >>> before = thread_count()
    >>> compute_on(1)
    >>> thread_count()
    1
    >>> compute_on(before)
    """
    import torch

    torch.set_num_threads(number)


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """Leave PyTorch so many threads, for others compute beside.

    >>> import torch
    >>> with torch_threads(1):
    ...     torch.get_num_threads()
    1
    """
    before = thread_count()
    compute_on(number)
    try:
        yield
    finally:
        compute_on(before)
