"""The path of a gradient: every factor it crosses from the last hidden layer to the first.

A value between two rooms: who measures (`watching`, `engine`) writes it, `explanation` reads it.
Each number is a float, or an array with an entry a replicate.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

Number = float | np.ndarray  # an array has an entry a replicate

# What a factor is -> the numbers it brings beside the norms before and after it.
KINDS: dict[str, tuple[str, ...]] = {
    "weights": ("scale",),  # |W| / sqrt(units that read), the gain for a gradient of any direction
    "activation": ("largest", "slope_rms"),
    "norm": ("scale_rms", "scaled"),  # RMS of gamma / s; norm of the gradient times gamma / s
    "norm_inner": (),  # of a normalisation that is made of several operations
    "skip": (),  # what else arrives at the same tensor, around a branch
    "fan_out": (),  # and from other readers of it
    "other": (),
}


class Factor(NamedTuple):
    """One thing that the gradient crosses on its path, and so a factor of its norm.

    >>> slopes = {"largest": 0.25, "slope_rms": 0.22}
    >>> factor = Factor("hidden_1", "sigmoid", "activation", before=0.5, after=0.1, numbers=slopes)
    >>> factor.after / factor.before
    0.2

    `before` is the gradient's norm on the loss's side, `after` on the inputs'. A factor between
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

    >>> weight = WeightGradient("hidden_1", grad=0.06, delta=0.1, input=1.5, rows=32)
    >>> round(weight.grad / (weight.delta * weight.input), 3)  # its coherence
    0.4

    `input` is the root mean square, over samples (and positions), of the norm of what the layer
    reads, and `rows` their number.
    """

    layer: str
    grad: Number
    delta: Number
    input: Number
    rows: int


class GradientPath(NamedTuple):
    """Factors in the order in which a gradient meets them, and the deltas at both ends.

    >>> factors = (
    ...     Factor("hidden_1", "hidden_2", "weights", before=0.5, after=0.4),
    ...     Factor("hidden_1", "sigmoid", "activation", before=0.4, after=0.1),
    ... )
    >>> path = GradientPath("hidden_1", "hidden_2", factors, 0.1, 0.5, {"hidden_1": "sigmoid"})
    >>> [round(factor.after / factor.before, 2) for factor in path.factors]
    [0.8, 0.25]
    >>> path.first_delta / path.last_delta  # their product
    0.2

    `activations` has the activation after each layer of the path, `beside` the hidden layers that
    lie on other branches.
    """

    first: str
    last: str
    factors: tuple[Factor, ...]
    first_delta: Number
    last_delta: Number
    activations: Mapping[str, str]
    weights: tuple[WeightGradient, ...] = ()
    beside: tuple[str, ...] = ()
    replicates: int = 1
    attributes: Mapping[str, Any] = {}


def layers_on(path: GradientPath) -> list[str]:
    """Name the layers whose gains make the total, from the last to the first.

    >>> layers_on(GradientPath("a", "c", (Factor("b", "c", "other", 1, 1),), 1.0, 1.0, {}))
    ['b']
    """
    return list(dict.fromkeys(factor.layer for factor in path.factors))


def is_whole(path: GradientPath) -> np.ndarray:
    """Tell of each replicate whether a gradient, not 0, NaN or Inf, goes all along the path.

    >>> ends = np.array([1.0, 0.0]), np.array([1.0, 1.0])
    >>> is_whole(GradientPath("a", "b", (), *ends, {}, replicates=2))
    array([ True, False])
    """
    norms = [path.first_delta, path.last_delta]
    for factor in path.factors:
        norms += [factor.before, factor.after]
    whole = np.empty((len(norms), path.replicates))
    for row, norm in zip(whole, norms, strict=True):
        row[:] = norm
    return np.all((whole > 0) & (whole < np.inf), axis=0)


def as_artefacts(path: GradientPath) -> dict[str, np.ndarray]:
    """Turn a path into artefacts that a store can keep; the weights' gradients are left out.

    >>> factors = (Factor("a", "b", "other", 4.0, 2.0),)
    >>> path = GradientPath("a", "b", factors, 2.0, 4.0, {"a": "relu"})
    >>> from_artefacts(as_artefacts(path)) == path._replace(attributes={})
    True
    """
    rows = [
        (each.before, each.after, *(each.numbers[name] for name in KINDS[each.kind]))
        for each in path.factors
    ]
    rows.append((path.last_delta, path.first_delta))
    numbers = np.full((len(rows), 4, path.replicates), np.nan)
    for place, row in enumerate(rows):
        for column, value in enumerate(row):
            numbers[place, column] = value
    plan = {
        "first": path.first,
        "last": path.last,
        "crossings": [each[:3] for each in path.factors],  # as stores have it since the first
        "activations": dict(path.activations),
        "beside": path.beside,
    }
    names = np.frombuffer(json.dumps(plan).encode(), np.uint8)
    return {"gradient_path": numbers, "gradient_path_plan": names}


def from_artefacts(artefacts: Mapping[str, np.ndarray]) -> GradientPath | None:
    """Return the path that a run keeps; None where it keeps none.

    >>> factors = (Factor("a", "b", "other", 4.0, 2.0),)
    >>> kept = as_artefacts(GradientPath("a", "b", factors, 2.0, 4.0, {"a": "relu"}))
    >>> from_artefacts(kept).factors
    (Factor(layer='a', where='b', kind='other', before=4.0, after=2.0, numbers={}),)
    """
    if not {"gradient_path", "gradient_path_plan"} <= set(artefacts):
        return None
    plan = json.loads(artefacts["gradient_path_plan"].astype(np.uint8).tobytes())
    numbers = artefacts["gradient_path"]
    replicates = numbers.shape[2]

    def value(place: int, column: int) -> Number:
        found = numbers[place, column]
        return float(found[0]) if replicates == 1 else found

    factors = tuple(
        Factor(
            layer,
            where,
            kind,
            value(place, 0),
            value(place, 1),
            {name: value(place, 2 + i) for i, name in enumerate(KINDS[kind])},
        )
        for place, (layer, where, kind) in enumerate(plan["crossings"])
    )
    return GradientPath(
        plan["first"],
        plan["last"],
        factors,
        value(-1, 1),
        value(-1, 0),
        plan["activations"],
        beside=tuple(plan["beside"]),
        replicates=replicates,
    )
