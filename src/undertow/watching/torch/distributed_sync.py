"""Keeps the processes that train one model together: in each recorded step they add up once."""

from __future__ import annotations

import numpy as np

from undertow.watching.core.guard import Guard
from undertow.watching.torch.distributed import NormShares

# Rows of a step's table, one a parameter, that are roots of sums of squares; the others are sums.
SQUARES = [0, 3, 4, 5]


class DistributedSync:
    """Which step the processes last added up in, and whether one has told that it stopped.

    A process that cannot measure any more still has to come to the next sum: the others would wait
    for it there. It comes with nothing, says so, and all stop.
    """

    def __init__(self, shares: NormShares, guard: Guard, *, parameters: int, calls: int) -> None:
        self._shares, self._guard = shares, guard
        self._nothing = np.full((6, parameters + 1), np.nan), np.full(calls, np.nan)
        self._summed_at = 0
        self.told = False

    def total(
        self, step: int, table: np.ndarray, deltas: np.ndarray, due: int
    ) -> tuple[np.ndarray, np.ndarray, int]:
        """Return a step's table and its deltas over all processes, and the first's `due`."""
        self._summed_at = step
        table[SQUARES] **= 2
        table, deltas, first, stopped = self._shares.total(table, deltas**2, float(due))
        table[SQUARES] **= 0.5
        if stopped:
            self.told = True
            self._guard.fail(RuntimeError("another process has stopped measuring"))
        return table, np.sqrt(deltas), int(first)

    def end_step(self, step: int, due: int) -> None:
        """End a step after an error here; if the others add up in it, tell them."""
        if step >= due and self._summed_at != step:
            self.told = True
            self._shares.total(*self._nothing, 0.0, stopped=True)
