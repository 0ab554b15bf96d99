"""Which steps are recorded, and what their measurements are kept as."""

from __future__ import annotations

from torch import Tensor

FIRST_STEPS = 10  # always recorded

Measurements = dict[str, Tensor]  # [steps, layers, R], or [steps, R] for what has no layer


def is_recorded(step: int, every: int, steps_an_epoch: int) -> bool:
    """Tell whether a step, counted from 1, is recorded.

    >>> [step for step in range(1, 31) if is_recorded(step, every=7, steps_an_epoch=15)]
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14, 15, 21, 28, 30]
    """
    return step <= FIRST_STEPS or 0 in (step % every, step % steps_an_epoch)
