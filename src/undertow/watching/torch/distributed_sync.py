"""Keeps the processes that train one model together: in each recorded step they add up once."""

from __future__ import annotations

from typing import Any

from undertow.watching.torch.hooks import Guard
from undertow.watching.torch.meter import TorchMeter


class DistributedSync:
    """Which step the processes last added up in, and whether one has told that it stopped.

    A process that cannot measure any more still has to come to the next sum: the others would wait
    for it there. It comes with nothing, says so, and all stop.
    """

    def __init__(self, meter: TorchMeter, guard: Guard) -> None:
        self._meter, self._guard = meter, guard
        self._summed_at = 0
        self.told = False

    def values(self, step: int, mine: int) -> tuple[dict[str, Any], int]:
        """Return a step's values over all processes, and the step that the first calls due.

        `mine` is what this process would.
        """
        self._summed_at = step
        values, due, stopped = self._meter.shared_values(float(mine))
        if stopped:
            self.told = True
            self._guard.fail(RuntimeError("another process has stopped measuring"))
        return values, int(due)

    def end_step(self, step: int, due: int) -> None:
        """End a step after an error here; if the others add up in it, tell them."""
        if step >= due and self._summed_at != step:
            self.told = True
            self._meter.tell_stopped()
