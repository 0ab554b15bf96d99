"""From what the instruments read in one step to the arrays of its row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from undertow.trace.record import Layer
from undertow.watching.calls import Call
from undertow.watching.layers import Module
from undertow.watching.norms import Number, numbers

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
    scales = np.array([call.scale for call in calls])
    delta = dict(zip(calls, numbers([call.delta for call in calls]) / scales, strict=True))
    output = dict(zip(calls, numbers([call.output_norm for call in calls]), strict=True))
    squares: dict[Key, float] = defaultdict(float)
    outputs: dict[Key, float] = defaultdict(float)
    sizes: dict[Key, float] = defaultdict(float)
    active: dict[Key, list[Call]] = defaultdict(list)
    for call in calls:
        key = (call.layer, call.number)
        squares[key] += delta[call] ** 2
        outputs[key] += output[call] ** 2
        sizes[key] += call.size
        if call.slopes:
            active[key].append(call)
    values: dict[str, dict[Key, float]] = defaultdict(dict)
    for key, square in outputs.items():
        values["preactivation_rms"][key] = np.sqrt(square / sizes[key])
    for key, found in active.items():
        for name, value in _activation(found).items():
            values[name][key] = value
    names = {key: found[0].slopes.name for key, found in active.items() if found[0].slopes}
    return Passes(dict(squares), dict(values), names)


def spread(
    rows: Sequence[Place], modules: Sequence[Module], values: Mapping[Key, float]
) -> np.ndarray:
    """Put values by call at the rows of their layer; NaN where there is none."""
    return np.array([values.get((row.layer, row.number), np.nan) for row in rows])


def _activation(calls: Sequence[Call]) -> dict[str, float]:
    """Describe the activation after a layer, over all calls of it in a step."""
    found = [call.slopes for call in calls if call.slopes]
    pairs = sum(each.pairs for each in found)
    # Where the batch of a micro-step has another shape, a unit is what is there in all of them.
    activity = np.sum([each.activity.double().cpu().numpy().ravel() for each in found], 0)
    read = numbers([part for each in found for part in _parts(each)]).reshape(len(found), 3)
    value, slope, saturated = read.T
    leak = found[0].leak
    if leak is not None:
        positive = float(activity.sum())
        slope_square = positive + leak**2 * (pairs - positive)
        flat = pairs - positive if abs(leak) < 0.05 else 0.0
    else:
        slope_square, flat = float(np.sum(slope**2)), float(np.sum(saturated))
    dead = float(np.mean(activity == 0)) if not leak else 0.0
    return {
        "activation_rms": float(np.sqrt(np.sum(value**2) / pairs)),
        "slope_rms": float(np.sqrt(slope_square / pairs)),
        "saturated_fraction": flat / pairs,
        "dead_fraction": dead,
    }


def _parts(slopes: object) -> tuple[Number, Number, Number]:
    return slopes.value_norm, slopes.slope_norm, slopes.saturated  # pyright: ignore
