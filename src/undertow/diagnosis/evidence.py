"""A trace as the rules read it: what stands at the start, what at the end, and which layers count.

Arrays are [replicate, step, layer]; what a rule gets is [replicate, layer] or [replicate].
"""

from __future__ import annotations

import warnings
from functools import cached_property

import numpy as np

from undertow.diagnosis.flat_ends import saturates
from undertow.diagnosis.shared_thresholds import FALLEN, STEPS
from undertow.diagnosis.threshold import Threshold
from undertow.trace.record import Trace

NORMS = ("batch_norm", "layer_norm", "group_norm")
FIRST = 5  # recorded steps that make the start
LAST = 0.1  # of their span makes the end

Array = np.ndarray


class Evidence:
    """What the rules ask of a trace; with `predicted`, of what theory expected too.

    `matrix` marks the layers that a gradient crosses by a product: no normalisation, no further
    call of a module. `hidden` marks those of them that are not the last, the network's output.
    """

    def __init__(
        self, trace: Trace, predicted: Trace | None = None, thresholds: object = None
    ) -> None:
        self.trace, self._thresholds = trace, thresholds
        self._arrays: dict[str, Array] = {}
        self.predicted = None if predicted is None else Evidence(predicted, None, thresholds)
        data = trace.dataset
        self.names = [str(name) for name in data["layer"].values]
        self.kinds = [str(kind) for kind in data["kind"].values]
        self.activations = [str(each) for each in data["activation"].values]
        self.fan_in, self.fan_out = data["fan_in"].values, data["fan_out"].values
        self.trainable = data["trainable"].values.astype(bool)
        self.steps = data["step"].values
        self.replicates = data.sizes["replicate"]
        self.layers = len(self.names)
        self.is_norm = np.array(
            [kind in NORMS or "norm" in kind for kind in self.kinds], bool
        )  # RMSNorm has no kind of its own
        called_again = np.array(["#" in name for name in self.names], bool)
        prelu = np.array([kind == "prelu" for kind in self.kinds], bool)
        self.matrix = ~self.is_norm & ~called_again & ~prelu
        self.is_output = np.zeros(self.layers, bool)
        self.is_output[np.flatnonzero(self.matrix)[-1:]] = True
        self.hidden = self.matrix & ~self.is_output
        # Of a normalisation's own row tells what its layer's row would without it.
        self.matrix_or_norm = self.matrix | (self.is_norm & ~called_again)

    def limit(self, threshold: Threshold) -> float:
        """Return what a threshold has been set to; as it is declared where nothing was set."""
        return getattr(self._thresholds, threshold.name, threshold.default)

    @property
    def batch(self) -> int | None:
        """Samples of a batch; None where the trace does not say."""
        size = self.trace.attributes.get("batch_size", "")
        return int(size) if isinstance(size, int | float | np.integer) and size >= 1 else None

    @property
    def batch_normalised_without_layers(self) -> bool:
        """Whether a network of the laboratory, whose norms are no layers, has batch norm."""
        network = self.trace.attributes.get("network")
        return isinstance(network, dict) and network.get("normalisation") == "batch"

    def array_or_zero(self, name: str) -> Array:
        """Return a variable, or a 0 where it was not measured."""
        return self.array(name) if name in self.trace.dataset else np.zeros(())

    @property
    def is_flat(self) -> bool:
        """Tell whether an activation is flat at both ends."""
        return any(map(saturates, self.activations))

    @cached_property
    def underflows(self) -> Array:
        """Where a delta is near the smallest number of its type, so that others may be 0, [R]."""
        dtype = str(self.trace.attributes.get("dtype", "float32"))
        limits = np.finfo(dtype if dtype in ("float16", "float32", "float64") else "float32")
        least = np.log10(float(limits.tiny)) - np.log10(float(limits.eps))
        with np.errstate(invalid="ignore"):
            small = np.isfinite(self.log_delta) & (self.log_delta < least)
        return (small & self.matrix).any(1)

    def has(self, name: str) -> bool:
        """Tell whether a variable was measured at all."""
        return name in self.trace.dataset and not bool(np.isnan(self.array(name)).all())

    def array(self, name: str) -> Array:
        """Return a variable as it is, [replicate, step, layer] or [replicate, step]."""
        if name not in self._arrays:  # xarray takes a tenth of a millisecond for each
            found = self.trace.dataset[name]
            dims = [dim for dim in ("replicate", "step", "layer") if dim in found.dims]
            self._arrays[name] = found.transpose(*dims).values
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

    @cached_property
    def total(self) -> Array:
        """log10 |delta| of the first less that of the last hidden layer at the start, [R]."""
        return self.total_of(self.log_delta)

    @cached_property
    def log_delta(self) -> Array:
        """log10 |delta| of every layer at birth, [R, L]; NaN where it is not measured.

        At the first step alone: the next may already be that of another network.
        """
        return log10(self.birth("delta_norm")) if self.has("delta_norm") else self._nothing()

    @cached_property
    def log_delta_at_end(self) -> Array:
        """The same at the end."""
        return log10(self.end("delta_norm")) if self.has("delta_norm") else self._nothing()

    def total_of(self, log_delta: Array) -> Array:
        """Return the total dex of a profile, [R, L] -> [R]; NaN with fewer than two deltas."""
        found = np.full(self.replicates, np.nan)
        known = self.hidden & ~np.isnan(log_delta)
        # A delta of exactly 0 beside a gradient that came through is that of a branch which is off.
        through = np.maximum.accumulate(np.isfinite(log_delta) & self.hidden, 1)
        known &= ~(np.isneginf(log_delta) & through)
        for r in np.flatnonzero(known.sum(1) >= 2):
            places = np.flatnonzero(known[r])
            found[r] = _difference(log_delta[r, places[0]], log_delta[r, places[-1]])
        return found

    @cached_property
    def update_ratio(self) -> Array:
        """|change| / |W| of each weight, [R, S, L]; NaN where either is not known or W is 0."""
        if not (self.has("update_norm") and self.has("weight_norm")):
            return np.full((self.replicates, len(self.steps), self.layers), np.nan)
        change, weight = self.array("update_norm"), self.array("weight_norm")
        with np.errstate(all="ignore"):
            return np.where(weight > 0, change / weight, np.nan)

    def update_at_start(self) -> Array:
        """Return the median ratio over the first steps, [R, L]."""
        return median(self.update_ratio[:, : 2 * FIRST], 1)

    def largest_update(self) -> Array:
        """Return, over the first steps, the largest of the median ratios over layers, [R]."""
        first = self.update_ratio[:, :FIRST][:, :, self.matrix]
        first = np.where(np.isfinite(first), first, np.nan)
        if self.has("weight_norm"):  # a weight that began at 0 is its first updates
            first = np.where(self.birth("weight_norm")[:, None, self.matrix] > 0, first, np.nan)
        typical = median(first, 2)
        return np.fmax.reduce(typical, 1) if typical.shape[1] else np.full(len(first), np.nan)

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
            logged[last + 1 :] = self._nonfinite_by_step[last + 1 :]
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
    def idle(self) -> Array:
        """Where neither the loss fell nor the accuracy rose, though they had the steps to, [R]."""
        if self.passed < self.limit(STEPS):
            return np.zeros(self.replicates, bool)
        with np.errstate(invalid="ignore"):
            return (self.fall < self.limit(FALLEN)) & ~self.risen

    @cached_property
    def risen(self) -> Array:
        """Where the accuracy rose, [R]; nowhere where it was not logged."""
        if not self.has("accuracy"):
            return np.zeros(self.replicates, bool)
        with np.errstate(invalid="ignore"):
            return self.end("accuracy") - self.start("accuracy") > self.limit(FALLEN)

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
        if "loss" in self.trace.dataset:
            loss = self.array("loss")
            found |= np.isinf(loss) | _loss_ended(np.isnan(loss))
        return found

    @property
    def _nonfinite_by_step(self) -> Array:
        return self._nonfinite.any(0)

    def _until_it_broke(self, name: str) -> Array:
        """Return a variable without what came with or after the first NaN or Inf."""
        array = self.array(name)
        if not (self.broke_at > 0).any():
            return array
        ends = np.where(self.broke_at > 0, self.broke_at, np.iinfo(np.int64).max)
        late = self.steps[None, :] >= ends[:, None]
        return np.where(late if array.ndim == 2 else late[:, :, None], np.nan, array)

    def _measured_at(self, array: Array) -> Array:
        known = ~np.isnan(array)
        return np.flatnonzero(known.any(axis=tuple(i for i in range(array.ndim) if i != 1)))

    def _median(self, name: str, which: slice | Array) -> Array:
        array = self._until_it_broke(name)
        places = self._measured_at(array)[which]
        return median(array[:, places].astype(float), 1)

    def _nothing(self) -> Array:
        return np.full((self.replicates, self.layers), np.nan)


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


def _difference(one: float, other: float) -> float:
    """Return the difference of two logarithms; NaN where both norms are 0 or neither a number."""
    with np.errstate(invalid="ignore"):
        return float(one - other)
