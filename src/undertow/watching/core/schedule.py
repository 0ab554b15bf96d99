"""Which steps are recorded: the first ones, then as many as the budget and the size limit allow."""

from __future__ import annotations

import math
from collections import deque
from statistics import median

DEFAULT_BUDGET = 0.02  # share of the time that watching may take where nobody says
FIRST = 10  # steps that are always recorded
DENSE = 10  # steps that are recorded one after the other once something is wrong
REST = 200  # steps before anything but a non-finite number is again a reason for that
OCTAVES = 20  # doublings of a run's length for which the second half of the size limit lasts
TIMED = 5  # steps that are timed after a recorded one
KNOWN = 5  # steps of a kind from which on their median is trusted
NEVER = 2**62


class Schedule:
    """Decides, when a step has ended, which step to record next.

    With `every="auto"` the cost of the recorded steps so far is compared with what all steps took
    without it. As long as the first steps' cost is more than the budget, half the budget goes to
    paying it back; after that the mean cost stays at the budget.

    >>> schedule = Schedule("auto", budget=0.02)
    >>> for step in range(1, 11):
    ...     schedule.took(step, 0.011, 0.001, recorded=True, size=1000 * step)
    >>> schedule.next(10)
    20
    """

    def __init__(self, every: int | str, budget: float, limit: float = math.inf) -> None:
        self.every, self.budget, self.limit = every, budget, limit
        self.own = 0.0  # seconds spent measuring
        self.elapsed = 0.0  # seconds of all steps, without what measuring took
        self.steps = self.recorded = 0
        self.size = 0.0  # bytes
        self._costs: deque[float] = deque(maxlen=50)  # of recorded steps, as timed from within
        self._slow: deque[float] = deque(maxlen=50)  # seconds of recorded steps
        self._bare: deque[float] = deque(maxlen=50)  # and of others
        self._dense_until = self._last = 0
        self._calm_from = 0

    @property
    def share(self) -> float:
        """Return what measuring took so far, as a share of what the steps took without it."""
        return self.own / self.elapsed if self.elapsed else 0.0

    def took(self, step: int, seconds: float, own: float, *, recorded: bool, size: float) -> None:
        """Note a step that was timed: its time, of that ours, and the run's bytes so far.

        A recorded step costs more than the clock around our own work shows (what we push out of
        the caches is fetched again later); so it is charged, where that is more, by how much longer
        recorded steps take than others.
        """
        self.passed(step - 1)
        self.steps, self.size = step, size
        if recorded:
            self.recorded += 1
            self._last = step
            self._costs.append(own)
            self._slow.append(seconds)
            own = min(max(own, self._longer()), seconds)
        else:
            self._bare.append(max(seconds - own, 1e-9))
        self.own += own
        self.elapsed += max(seconds - own, 0.0)

    def passed(self, step: int, own: float = 0.0) -> None:
        """Note steps up to `step` that were not timed, and what of their time was ours."""
        self.own += own
        if step > self.steps:
            self.elapsed += (step - self.steps) * (median(self._bare) if self._bare else 0.0)
            self.steps = step

    def alarm(self, step: int, *, severe: bool) -> None:
        """Record the next steps one by one; if it is not severe, only while it can be paid."""
        can_pay = self.every != "auto" or self.own <= self.budget * self.elapsed
        if severe or (can_pay and step >= self._calm_from):
            self._dense_until = step + DENSE
            self._calm_from = step + REST

    def next(self, step: int, *, last: int | None = None) -> int:
        """Return the next step to record when `step` has ended; `last` is the last one recorded."""
        step += 1
        if self.size >= self.limit:
            return NEVER
        all_are = self.every == 1 and self.size < self.limit / 2
        if all_are or step <= max(FIRST, self._dense_until):
            return step
        interval = self.interval()
        if interval == self.every:
            return math.ceil(step / interval) * interval
        return max(step, (self._last if last is None else last) + interval)

    def interval(self) -> int:
        """Return the distance of recorded steps that is kept now."""
        return max(self._by_budget(), self._by_size())

    def _by_budget(self) -> int:
        if self.every != "auto":
            return int(self.every)
        if not self._costs:
            return 1
        in_debt = self.own > self.budget * self.elapsed
        share = self.budget / 2 if in_debt else self.budget
        cost = max(median(self._costs), self._longer())
        bare = median(self._bare or self._slow) - (0.0 if self._bare else cost)
        interval = cost / (share * max(bare, 1e-9))
        return max(1, min(math.ceil(round(interval, 6)), NEVER))  # 10.000000001 is 10

    def _longer(self) -> float:
        """Return by how much a recorded step takes longer than another; 0 where few are known."""
        if min(len(self._bare), len(self._slow)) < KNOWN:
            return 0.0
        return median(self._slow) - median(self._bare)

    def _by_size(self) -> int:
        """Return the distance at which the run may double in length twenty times more.

        Past half of the limit it is in proportion to the steps so far, so it doubles as they do.
        """
        if self.size < self.limit / 2 or not self.recorded:
            return 1
        each = self.size / self.recorded
        left = self.limit / 2 / each  # steps that the second half holds
        return max(1, math.ceil(self.steps * OCTAVES * math.log(2) / left))


def is_rare(count: int) -> bool:
    """Tell whether the `count`th recorded step is one of those that are looked at so: 1, 2, 4, 8.

    >>> [count for count in range(1, 20) if is_rare(count)]
    [1, 2, 4, 8, 16]
    """
    return count & (count - 1) == 0
