"""The course of a training: what stands at its start, what at its end, and where it broke.

Arrays are [replicate, step, layer] or [replicate, step]; what is taken of them has no steps.
"""

from __future__ import annotations

import warnings
from functools import cached_property

import numpy as np

from undertow.trace.readings import values
from undertow.trace.record import Trace

FIRST = 5  # recorded steps that make the start
LAST = 0.1  # of their span makes the end

Array = np.ndarray


class Course:
    """What a trace holds along its steps: variables at the start and at the end, and the loss."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._arrays: dict[str, Array] = {}
        self.steps = trace.dataset["step"].values
        self.replicates = trace.dataset.sizes["replicate"]

    def array_or_zero(self, name: str) -> Array:
        """Return a variable, or a 0 where it was not measured."""
        return self.array(name) if name in self.trace.dataset else np.zeros(())

    def has(self, name: str) -> bool:
        """Tell whether a variable was measured at all."""
        return name in self.trace.dataset and not bool(np.isnan(self.array(name)).all())

    def array(self, name: str) -> Array:
        """Return a variable as it is, [replicate, step, layer] or [replicate, step]."""
        if name not in self._arrays:  # xarray takes a tenth of a millisecond for each
            self._arrays[name] = values(self.trace, name)
        return self._arrays[name]

    def start(self, name: str, first: int = FIRST) -> Array:
        """Return the median over the first steps at which it was measured; NaN where never."""
        return self._median(name, slice(0, first))

    def birth(self, name: str) -> Array:
        """Return it as it was first measured."""
        return self._median(name, slice(0, 1))

    def end(self, name: str) -> Array:
        """Return the median over the last steps at which it was measured."""
        places = self._measured_at(self._until_it_broke(name))
        return self._median(name, _late(self.steps[places], FIRST))

    @property
    def loss(self) -> Array:
        """The loss, [R, steps at which it is known]."""
        return self._losses[1]

    @cached_property
    def _losses(self) -> tuple[Array, Array]:
        """The steps at which a loss is known, and the losses, [R, those steps]."""
        if "loss" not in self.trace.dataset:
            return np.zeros(0, np.int64), np.full((self.replicates, 0), np.nan)
        found = self.array("loss").astype(float)
        logged = ~np.isnan(found).all(0)
        # A NaN after numbers is a loss that is not a number, and not one that was not logged.
        if logged.any():
            last = np.flatnonzero(logged)[-1]
            logged[last + 1 :] = self._nonfinite.any(0)[last + 1 :]
        return self._with_unrecorded(self.steps[logged], found[:, logged])

    def _with_unrecorded(self, steps: Array, loss: Array) -> tuple[Array, Array]:
        """Add the last losses that a watch was told of, where their steps are not recorded."""
        late = self.trace.attributes.get("last_losses", ())
        if not isinstance(late, list | tuple) or self.replicates != 1 or not loss.shape[1]:
            return steps, loss
        pairs = [each for each in late if isinstance(each, list | tuple) and len(each) == 2]
        later = [(int(step), value) for step, value in pairs if step > steps[-1]]
        if not later:
            return steps, loss
        more, values = zip(*later, strict=True)
        return np.append(steps, more), np.append(loss, np.array([values], float), 1)

    @cached_property
    def fall(self) -> Array:
        """By what share of itself the loss fell, [R]; NaN where it is not known."""
        steps, loss = self._losses
        if loss.shape[1] < 2:
            return np.full(self.replicates, np.nan)
        few = max(1, min(FIRST, loss.shape[1] // 3))
        first, last = median(loss[:, :few], 1), loss[:, _late(steps, few)]
        with np.errstate(all="ignore"):
            end = np.where(np.isfinite(last).all(1), median(last, 1), np.inf)
            return (first - end) / np.maximum(np.abs(first), 1e-30)

    @property
    def passed(self) -> int:
        """How many steps the trace spans, or the losses that are known."""
        if not len(self.steps):
            return 0
        last = max([self.steps[-1], *self._losses[0][-1:]])
        return int(last - self.steps[0] + 1)

    @cached_property
    def broke_at(self) -> Array:
        """The first step with a NaN or Inf, [R]; 0 where there is none."""
        found = np.zeros(self.replicates, np.int64)
        for r in range(self.replicates):
            bad = self._nonfinite[r]
            if bad.any():
                found[r] = self.steps[np.flatnonzero(bad)[0]]
        for event in self.trace.events:
            r = event.replicate or 0
            if event.kind == "nonfinite" and r < self.replicates:
                found[r] = event.step if found[r] == 0 else min(found[r], event.step)
        return found

    @cached_property
    def _nonfinite(self) -> Array:
        """Whether a step holds a NaN or Inf that is one, [R, S]."""
        found = np.zeros((self.replicates, len(self.steps)), bool)
        if "nonfinite" in self.trace.dataset:
            with np.errstate(invalid="ignore"):
                found |= (self.array("nonfinite") > 0).any(2)
            left_out = self._left_out()
            if 2 * left_out.sum() < len(self.steps):  # a scale that overflows now and then
                found[:, left_out] = False
        if "loss" in self.trace.dataset:
            loss = self.array("loss")
            found |= np.isinf(loss) | _loss_ended(np.isnan(loss))
        return found

    def _left_out(self) -> Array:
        """Tell the steps whose updates were left out, [S]: their NaN reached no weight."""
        skipped = [event.step for event in self.trace.events if event.kind == "skipped"]
        return np.isin(self.steps, skipped)

    @property
    def is_broken(self) -> Array:
        """Whether a step came with or after the first NaN or Inf, [R, S]."""
        ends = np.where(self.broke_at > 0, self.broke_at, np.iinfo(np.int64).max)
        return self.steps[None, :] >= ends[:, None]

    @property
    def fall_before_it_broke(self) -> Array:
        """By what share of itself the loss fell, at its lowest, before a NaN or Inf came, [R].

        NaN where none came.
        """
        if not self.has("loss"):
            return np.full(self.replicates, np.nan)
        loss = self._until_it_broke("loss").astype(float)
        with np.errstate(all="ignore"):
            fell = 1 - np.fmin.reduce(loss, 1) / np.maximum(np.abs(loss[:, 0]), 1e-30)
        return np.where(self.broke_at > 0, fell, np.nan)

    def _until_it_broke(self, name: str) -> Array:
        """Return a variable without what came with or after the first NaN or Inf."""
        array = self.array(name)
        if not (self.broke_at > 0).any():
            return array
        late = self.is_broken
        return np.where(late if array.ndim == 2 else late[:, :, None], np.nan, array)

    def _measured_at(self, array: Array) -> Array:
        known = ~np.isnan(array)
        return np.flatnonzero(known.any(axis=tuple(i for i in range(array.ndim) if i != 1)))

    def _median(self, name: str, which: slice | Array) -> Array:
        array = self._until_it_broke(name)
        places = self._measured_at(array)[which]
        return median(array[:, places].astype(float), 1)


def _late(steps: Array, few: int) -> Array:
    """Return the places of the steps in the last tenth of their span, or of a `few` in its half.

    By the steps' numbers, not by their count: a watch that keeps to its budget records the first
    ten steps and then one in many.
    """
    if not len(steps):
        return np.zeros(0, np.int64)
    late = np.flatnonzero(steps >= steps[-1] - LAST * (steps[-1] - steps[0]))
    half = np.flatnonzero(steps >= (steps[-1] + steps[0]) / 2)
    return late if len(late) >= few else half[-few:]


def _loss_ended(missing: Array) -> Array:
    """Mark the steps from which on a loss is missing that was there at every step before, [R, S].

    A NaN stands for what was not logged, too; a log that is without a gap until it ends for good
    ended in NaN.
    """
    seen = np.minimum.accumulate(~missing, 1)
    return (
        missing
        & np.minimum.accumulate((missing | seen)[:, ::-1], 1)[:, ::-1]
        & (seen.sum(1) >= FIRST)[:, None]
    )


def median(array: Array, axis: int) -> Array:
    """Return the median of what is known; NaN where nothing is."""
    if array.shape[axis] == 0:
        return np.full(tuple(n for i, n in enumerate(array.shape) if i != axis), np.nan)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # of all-NaN slices
        return np.nanmedian(array, axis)


def log10(array: Array) -> Array:
    """Return logarithms, -Inf of 0, without a warning."""
    with np.errstate(all="ignore"):
        return np.log10(array)
