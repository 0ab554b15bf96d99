"""Keeps the processes that train one model together: in each recorded step they add up once."""

from __future__ import annotations

import numpy as np

from undertow.watching.core.guard import Guard
from undertow.watching.torch.distributed import NormShares
from undertow.watching.torch.rows import Passes

# Rows of a step's table, one a parameter, that are roots of sums of squares; the others are sums.
SQUARES = [0, 3, 4, 5]


class DistributedSync:
    """Which step the processes last added up in, and whether one has told that it stopped.

    A process that cannot measure any more still has to come to the next sum: the others would wait
    for it there. It comes with nothing, says so, and all stop.
    """

    def __init__(self, shares: NormShares, guard: Guard, *, parameters: int, layers: int) -> None:
        self._shares, self._guard = shares, guard
        # So many numbers on every process, whatever is called here: the first two calls.
        self._keys = [(layer, number) for layer in range(layers) for number in (1, 2)]
        self._nothing = np.full((6, parameters + 1), np.nan), np.full(len(self._keys), np.nan)
        self._summed_at = 0
        self.told = False

    def total(
        self, step: int, table: np.ndarray, passes: Passes | None, due: int
    ) -> tuple[np.ndarray, np.ndarray | None, int]:
        """Return a step's table, the deltas of `passes` and `due`, as all processes have them."""
        self._summed_at = step
        table[SQUARES] **= 2
        mine = dict(zip(passes.keys, passes.delta_norm, strict=True)) if passes else {}
        squares = np.array([mine.get(key, np.nan) for key in self._keys]) ** 2
        table, squares, first, stopped = self._shares.total(table, squares, float(due))
        table[SQUARES] **= 0.5
        if stopped:
            self.told = True
            self._guard.fail(RuntimeError("another process has stopped measuring"))
        of_all = dict(zip(self._keys, np.sqrt(squares), strict=True))
        deltas = np.array([of_all.get(key, np.nan) for key in passes.keys]) if passes else None
        return table, deltas, int(first)

    def end_step(self, step: int, due: int) -> None:
        """End a step after an error here; if the others add up in it, tell them."""
        if step >= due and self._summed_at != step:
            self.told = True
            self._shares.total(*self._nothing, 0.0, stopped=True)
