"""From what the instruments read in one step to the arrays of its row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from undertow.trace.record import Layer
from undertow.watching.calls import Call
from undertow.watching.layers import Module
from undertow.watching.norms import numbers
from undertow.watching.slopes import SATURATED, Slopes

ACTIVE = ("activation_rms", "slope_rms", "saturated_fraction", "dead_fraction")

Key = tuple[int, int]  # a layer, and which call of it since the last backward pass


class Place(NamedTuple):
    """What a row of the trace stands for: a weight, or a further call of its module."""

    layer: int
    number: int
    weight: int | None  # which of the module's weights; None for a further call


class Passes(NamedTuple):
    """What the calls of one step add up to, a sum over its micro-batches for each key."""

    delta_square: dict[Key, float]
    values: dict[str, dict[Key, float]]
    activations: dict[Key, str]


def places(modules: Sequence[Module], calls: Iterable[Call]) -> list[Place]:
    """List the trace's layers: in the order in which they were first called, the rest as found."""
    first: dict[Key, int] = {}
    for call in calls:
        key = (call.layer, call.number)
        first[key] = min(call.order, first.get(key, call.order))
    order = {layer: first.get((layer, 1), 10**9) for layer in range(len(modules))}
    found = [
        (order[layer], Place(layer, 1, weight))
        for layer, module in enumerate(modules)
        for weight in range(len(module.weights))
    ]
    found += [
        (at, Place(layer, number, None)) for (layer, number), at in first.items() if number > 1
    ]
    return [place for _, place in sorted(found, key=lambda each: each[0])]


def layers(
    modules: Sequence[Module], rows: Sequence[Place], activations: Mapping[Key, str]
) -> tuple[Layer, ...]:
    """Describe the trace's layers."""
    found = []
    for depth, (layer, number, weight) in enumerate(rows, 1):
        module = modules[layer]
        held = module.weights[weight or 0]
        name = held.name if weight is not None else f"{module.path}#{number}"
        activation = activations.get((layer, number), "linear")
        trainable = held.parameter.requires_grad
        found.append(
            Layer(name, depth, module.kind, activation, held.fan_in, held.fan_out, trainable)
        )
    return tuple(found)


def passes(calls: Sequence[Call]) -> Passes:
    """Add up the calls of a step."""
    by_key: dict[Key, list[Call]] = {}
    for call in calls:
        by_key.setdefault((call.layer, call.number), []).append(call)
    read = numbers([part for call in calls for part in (call.delta or 0.0, call.output_norm)])
    squares = read.reshape(-1, 2) ** 2
    squares[:, 0] /= np.array([call.scale for call in calls]) ** 2
    place = {id(call): at for at, call in enumerate(calls)}
    deltas: dict[Key, float] = {}
    values: dict[str, dict[Key, float]] = {name: {} for name in ("preactivation_rms", *ACTIVE)}
    for key, found in by_key.items():
        delta, output = squares[[place[id(call)] for call in found]].sum(0).tolist()
        deltas[key] = delta
        values["preactivation_rms"][key] = math.sqrt(output / sum(call.size for call in found))
        slopes = [call.slopes for call in found if call.slopes]
        if slopes:
            for name, value in zip(ACTIVE, _activation(slopes), strict=True):
                values[name][key] = value
    if not values["slope_rms"]:
        values = {"preactivation_rms": values["preactivation_rms"]}
    names = {key: found[0].slopes.name for key, found in by_key.items() if found[0].slopes}
    return Passes(deltas, values, names)


def spread(rows: Sequence[Place], values: Mapping[Key, float]) -> np.ndarray:
    """Put values by call at the rows of their layer; NaN where there is none."""
    return np.array([values.get((row.layer, row.number), np.nan) for row in rows])


def _activation(calls: Sequence[Slopes]) -> tuple[float, float, float, float]:
    """Describe the activation after a layer over all calls of it in a step, in `ACTIVE`'s order."""
    pairs = sum(each.pairs for each in calls)
    activity = sum(each.activity.cpu().numpy().ravel() for each in calls)
    parts = [(each.value_norm, each.slope_norm, each.saturated) for each in calls]
    read = numbers([part for each in parts for part in each]).reshape(-1, 3)
    value_square, slope_square = (read[:, :2] ** 2).sum(0).tolist()
    flat, leak = float(read[:, 2].sum()), calls[0].leak
    if leak is not None:
        positive = float(activity.sum(dtype=np.float64))
        slope_square = positive + leak**2 * (pairs - positive)
        flat = pairs - positive if abs(leak) < SATURATED else 0.0
    dead = 0.0 if leak else 1 - np.count_nonzero(activity) / activity.size
    return (
        math.sqrt(value_square / pairs),
        math.sqrt(slope_square / pairs),
        flat / pairs,
        dead,
    )
