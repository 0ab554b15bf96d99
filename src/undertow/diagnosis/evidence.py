"""A trace as the rules read it: which of its layers count, and how the gradient runs through them.

Arrays are [replicate, step, layer]; what a rule gets is [replicate, layer] or [replicate].
"""

from __future__ import annotations

from copy import copy
from functools import cached_property

import numpy as np

from undertow.diagnosis.course import FIRST, Array, Course, log10, median
from undertow.diagnosis.flat_ends import saturates
from undertow.diagnosis.shared_thresholds import (
    FALLEN,
    HALF_FALLEN,
    LARGE_UPDATE,
    STEPS,
    WHOLE_UPDATE,
)
from undertow.diagnosis.threshold import Threshold
from undertow.trace.dataflow import Dataflow, Edge, edges_of
from undertow.trace.record import Trace

NAMED = 3  # layers that are named one by one
DIED = 0.5  # of a layer's units, more at the end than at birth
NORMS = ("batch_norm", "layer_norm", "group_norm")


class Evidence(Course):
    """What the rules ask of a trace; with `predicted`, of what theory expected too.

    `matrix` marks the layers that a gradient crosses by a product: no normalisation, no further
    call of a module. `hidden` marks those of them that are not the last, the network's output.
    """

    def __init__(
        self, trace: Trace, predicted: Trace | None = None, thresholds: object = None
    ) -> None:
        super().__init__(trace)
        self._thresholds = thresholds
        self.predicted = None if predicted is None else Evidence(predicted, None, thresholds)
        data = trace.dataset
        self.names = [str(name) for name in data["layer"].values]
        self.kinds = [str(kind) for kind in data["kind"].values]
        self.activations = [str(each) for each in data["activation"].values]
        self.fan_in, self.fan_out = data["fan_in"].values, data["fan_out"].values
        self.trainable = data["trainable"].values.astype(bool)
        self.layers = len(self.names)
        self.is_norm = np.array(
            [kind in NORMS or "norm" in kind for kind in self.kinds], bool
        )  # RMSNorm has no kind of its own
        called_again = np.array(["#" in name for name in self.names], bool)
        prelu = np.array([kind == "prelu" for kind in self.kinds], bool)
        self.matrix = ~self.is_norm & ~called_again & ~prelu
        self.dataflow = _dataflow(trace, self.names)
        self.is_output = np.zeros(self.layers, bool)
        ends = sorted(self.dataflow.ends) if self.dataflow else []
        self.is_output[[end for end in ends if self.matrix[end]]] = True
        if not self.is_output.any():
            self.is_output[np.flatnonzero(self.matrix)[-1:]] = True
        self.hidden = self.matrix & ~self.is_output
        # Of a normalisation's own row tells what its layer's row would without it.
        self.matrix_or_norm = self.matrix | (self.is_norm & ~called_again)

    def listed(self, marks: Array) -> str:
        """Name the marked layers, the first few one by one."""
        names = [f"'{self.names[place]}'" for place in np.flatnonzero(marks)]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return ", ".join(names[:NAMED]) + more

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

    @cached_property
    def towers(self) -> list[Evidence]:
        """The parts of the network that are judged each along its own way.

        In a tower's evidence its own layers alone are `matrix` and `hidden`, and what is called a
        delta is the gradient through the cut behind a layer.
        """
        if self.dataflow is None:
            return [self]
        cuts = {
            name: log10(self.dataflow.cuts(10**profile))
            for name, profile in (
                ("log_delta", self.log_delta),
                ("log_delta_at_end", self.log_delta_at_end),
            )
        }
        found = []
        for places in self.dataflow.towers:
            tower = copy(self)
            for name in ("total", "towers"):
                tower.__dict__.pop(name, None)
            tower.__dict__ |= cuts
            inside = np.zeros(self.layers, bool)
            inside[places] = True
            tower.dataflow = None
            tower.matrix, tower.hidden = self.matrix & inside, self.hidden & inside
            if tower.hidden.sum() > 1:
                found.append(tower)
        return found or [self]

    @cached_property
    def total(self) -> Array:
        """log10 |delta| of the first less that of the last hidden layer at the start, [R].

        Of several towers it is that of the one that loses most.
        """
        if self.dataflow is not None and self.towers != [self]:
            return np.fmin.reduce([tower.total for tower in self.towers])
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

    def largest_update(self, first: int | None = FIRST) -> Array:
        """Return the largest of the median ratios over layers, [R]: of the first steps, or all."""
        ratio = self.update_ratio[:, :first, self.matrix]
        if first is None:
            ratio = np.where(self.is_broken[:, :, None], np.nan, ratio)
        ratio = np.where(np.isfinite(ratio), ratio, np.nan)
        if self.has("weight_norm"):  # a weight that began at 0 is its first updates
            ratio = np.where(self.birth("weight_norm")[:, None, self.matrix] > 0, ratio, np.nan)
        typical = median(ratio, 2)
        return np.fmax.reduce(typical, 1) if typical.shape[1] else np.full(len(ratio), np.nan)

    @cached_property
    def fell_before_it_broke(self) -> Array:
        """Where the loss had fallen by half before the first NaN or Inf, [R]."""
        with np.errstate(invalid="ignore"):
            return self.fall_before_it_broke >= self.limit(HALF_FALLEN)

    @cached_property
    def overshot(self) -> Array:
        """Where one step on the way made most weights others, and nothing is learnt since, [R].

        A smaller one counts where units have died on the way.
        """
        ever, died = self.largest_update(None), np.zeros(self.replicates, bool)
        if self.has("dead_fraction"):
            more = self.end("dead_fraction") - self.birth("dead_fraction")
            died = (np.nan_to_num(more) > DIED).any(1)
        with np.errstate(invalid="ignore"):
            whole = ever >= self.limit(WHOLE_UPDATE)
            return self.idle & (whole | (died & (ever >= self.limit(LARGE_UPDATE))))

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

    def _nothing(self) -> Array:
        return np.full((self.replicates, self.layers), np.nan)


def _dataflow(trace: Trace, names: list[str]) -> Dataflow | None:
    """Return the graph of a trace's layers; None where too little of it is known."""
    place = {name: number for number, name in enumerate(names)}
    edges = [
        Edge(place[edge.source], place[edge.target], edge.skip, edge.scale)
        for edge in edges_of(trace.attributes)
        if edge.source in place and edge.target in place
    ]
    known = {end for edge in edges for end in edge[:2]}
    return Dataflow(edges) if len(known) > 1 else None


def _difference(one: float, other: float) -> float:
    """Return the difference of two logarithms; NaN where both norms are 0 or neither a number."""
    with np.errstate(invalid="ignore"):
        return float(one - other)
