"""The way a gradient takes back: what it crosses from the last hidden layer to the first.

A value between two rooms: who measures (`watching`, `engine`) writes it, `explanation` reads it.
Each number is a float, or an array with an entry a replicate.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

Number = Any  # float or np.ndarray [replicate]

# What a crossing is -> the numbers it brings beside the norms before and after it.
KINDS: dict[str, tuple[str, ...]] = {
    "weights": ("scale",),  # |W| / sqrt(units that read), the gain for a gradient of any direction
    "activation": ("largest", "slope_rms"),
    "norm": ("scale_rms", "scaled"),  # RMS of gamma / s; norm of the gradient times gamma / s
    "norm_inner": (),  # of a normalisation that is made of several operations
    "skip": (),  # what else arrives at the same tensor, around a branch
    "fan_out": (),  # and from other readers of it
    "other": (),
}


class Crossing(NamedTuple):
    """One thing that the gradient crosses on its way back.

    `before` is the gradient's norm on the loss's side, `after` on the inputs'. A crossing between
    layer l + 1 and layer l belongs to layer l, whose gain it is a part of; `where` names the
    module or the operation itself.
    """

    layer: str
    where: str
    kind: str
    before: Number
    after: Number
    numbers: Mapping[str, Number] = {}


class WeightGradient(NamedTuple):
    """What makes the gradient of one weight: |dE/dW| = |delta| x input size x coherence.

    `input` is the root mean square, over samples (and positions), of the norm of what the layer
    reads, and `rows` their number.
    """

    layer: str
    grad: Number
    delta: Number
    input: Number
    rows: int


class Way(NamedTuple):
    """Crossings in the order in which a gradient meets them, and the deltas at both ends.

    `activations` has the activation after each layer of the way, `beside` the hidden layers that
    lie on other branches.
    """

    first: str
    last: str
    crossings: tuple[Crossing, ...]
    first_delta: Number
    last_delta: Number
    activations: Mapping[str, str]
    weights: tuple[WeightGradient, ...] = ()
    beside: tuple[str, ...] = ()
    replicates: int = 1
    attributes: Mapping[str, Any] = {}


def layers(way: Way) -> list[str]:
    """Name the layers whose gains make the total, from the last to the first.

    >>> layers(Way("a", "c", (Crossing("b", "c", "other", 1, 1),), 1.0, 1.0, {}))
    ['b']
    """
    return list(dict.fromkeys(crossing.layer for crossing in way.crossings))


def is_whole(way: Way) -> np.ndarray:
    """Tell of each replicate whether a gradient that is neither 0 nor NaN nor Inf goes all the way.

    >>> is_whole(Way("a", "b", (), np.array([1.0, 0.0]), np.array([1.0, 1.0]), {}, replicates=2))
    array([ True, False])
    """
    norms = [way.first_delta, way.last_delta]
    for crossing in way.crossings:
        norms += [crossing.before, crossing.after]
    whole = np.empty((len(norms), way.replicates))
    for row, norm in zip(whole, norms, strict=True):
        row[:] = norm
    return np.all((whole > 0) & (whole < np.inf), axis=0)


def packed(way: Way) -> dict[str, np.ndarray]:
    """Turn a way into artefacts that a store can keep; the weights' gradients are left out.

    >>> way = Way("a", "b", (Crossing("a", "b", "other", 4.0, 2.0),), 2.0, 4.0, {"a": "relu"})
    >>> unpacked(packed(way)) == way._replace(attributes={})
    True
    """
    rows = [
        (each.before, each.after, *(each.numbers[name] for name in KINDS[each.kind]))
        for each in way.crossings
    ]
    rows.append((way.last_delta, way.first_delta))
    numbers = np.full((len(rows), 4, way.replicates), np.nan)
    for place, row in enumerate(rows):
        for column, value in enumerate(row):
            numbers[place, column] = value
    plan = {
        "first": way.first,
        "last": way.last,
        "crossings": [each[:3] for each in way.crossings],
        "activations": dict(way.activations),
        "beside": way.beside,
    }
    return {"way": numbers, "way_plan": np.frombuffer(json.dumps(plan).encode(), np.uint8)}


def unpacked(artefacts: Mapping[str, np.ndarray]) -> Way | None:
    """Return the way that a run keeps; None where it keeps none."""
    if not {"way", "way_plan"} <= set(artefacts):
        return None
    plan = json.loads(artefacts["way_plan"].astype(np.uint8).tobytes())
    numbers = artefacts["way"]
    replicates = numbers.shape[2]

    def value(place: int, column: int) -> Number:
        found = numbers[place, column]
        return float(found[0]) if replicates == 1 else found

    crossings = tuple(
        Crossing(
            layer,
            where,
            kind,
            value(place, 0),
            value(place, 1),
            {name: value(place, 2 + i) for i, name in enumerate(KINDS[kind])},
        )
        for place, (layer, where, kind) in enumerate(plan["crossings"])
    )
    return Way(
        plan["first"],
        plan["last"],
        crossings,
        value(-1, 1),
        value(-1, 0),
        plan["activations"],
        beside=tuple(plan["beside"]),
        replicates=replicates,
    )
