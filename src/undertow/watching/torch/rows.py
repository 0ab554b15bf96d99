"""From what the meter reads in one step to the arrays of its row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from undertow.trace.dataflow import Edge
from undertow.trace.record import Layer
from undertow.trace.schema import SATURATED_BELOW
from undertow.watching.torch.activation_nodes import ActivationSlopes
from undertow.watching.torch.layer_calls import Key, LayerCall
from undertow.watching.torch.layers import Module
from undertow.watching.torch.norms import numbers

ACTIVE = ("activation_rms", "slope_rms", "saturated_fraction", "dead_fraction")


class Place(NamedTuple):
    """What a row of the trace stands for: a weight, or a further call of its module."""

    layer: int
    number: int
    weight: int | None  # which of the module's weights; None for a further call


class Passes(NamedTuple):
    """What the calls of one step add up to, over its micro-batches; an entry a key."""

    keys: list[Key]
    delta_norm: np.ndarray
    values: dict[str, np.ndarray]
    is_finite: bool


def places(modules: Sequence[Module], calls: Iterable[LayerCall]) -> list[Place]:
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
    modules: Sequence[Module], rows: Sequence[Place], calls: Sequence[LayerCall]
) -> tuple[Layer, ...]:
    """Describe the trace's layers."""
    activations = {(call.layer, call.number): call.slopes.name for call in calls if call.slopes}
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


def edges(
    found: Iterable[Edge[Key]], rows: Sequence[Place], layers: Sequence[Layer]
) -> list[list[object]]:
    """Name the ends of edges between calls as the trace does, ready for its header.

    Several weights of one module have one output: the first stands for it.
    """
    names: dict[Key, str] = {}
    for row, layer in zip(rows, layers, strict=True):
        names.setdefault((row.layer, row.number), layer.name)
    return [
        [names[source], names[target], skip, scale]
        for source, target, skip, scale in found
        if source in names and target in names
    ]


def passes(calls: Sequence[LayerCall]) -> Passes:
    """Add up the calls of a step."""
    places: dict[Key, int] = {}
    at = np.array(
        [places.setdefault((each.layer, each.number), len(places)) for each in calls], int
    )
    read = numbers([part for call in calls for part in (call.delta or 0.0, call.output_norm)])
    squares = read.reshape(-1, 2) ** 2
    squares[:, 0] /= np.array([call.scale for call in calls]) ** 2
    delta, output = (np.bincount(at, column, len(places)) for column in squares.T)
    sizes = np.bincount(at, [call.size for call in calls], len(places))
    values = {"preactivation_rms": np.sqrt(output / sizes)}
    active: dict[int, list[ActivationSlopes]] = {}
    for place, call in zip(at.tolist(), calls, strict=True):
        if call.slopes:
            active.setdefault(place, []).append(call.slopes)
    if active:
        found = _activations(list(active.values()))
        for name, column in zip(ACTIVE, found, strict=True):
            values[name] = np.full(len(places), np.nan)
            values[name][list(active)] = column
    return Passes(list(places), np.sqrt(delta), values, bool(np.isfinite(read).all()))


def places_of_keys(rows: Sequence[Place], keys: Sequence[Key]) -> np.ndarray:
    """Return at which key each row finds its number; -1 where at none."""
    at = {key: place for place, key in enumerate(keys)}
    return np.array([at.get((row.layer, row.number), -1) for row in rows])


def _activations(layers: Sequence[Sequence[ActivationSlopes]]) -> np.ndarray:
    """Describe the activations after some layers, each over its calls: a row for each of `ACTIVE`.

    A unit is dead if it was in every micro-batch.
    """
    flat = [call for calls in layers for call in calls]
    columns = numbers([part for call in flat for part in call[2:5]]).reshape(-1, 3)
    columns[:, :2] **= 2
    rest = np.array([(call.pairs, np.nan if call.leak is None else call.leak) for call in flat])
    activity = [calls[0].activity for calls in layers]
    if len(flat) > len(layers):  # several micro-batches
        counts = np.array([len(calls) for calls in layers])
        starts = np.cumsum(counts) - counts
        columns = np.add.reduceat(columns, starts)
        rest = np.column_stack([np.add.reduceat(rest[:, 0], starts), rest[starts, 1]])
        activity = [torch.stack([call.activity for call in calls]).sum(0) for calls in layers]
    (value, slope, level), (pairs, leak) = columns.T, rest.T
    units = np.array([each.numel() for each in activity])
    first = np.cumsum(units) - units
    above = torch.cat([each.reshape(-1) for each in activity]).cpu().double().numpy()
    dead = np.add.reduceat((above == 0).astype(float), first) / units
    kinked = ~np.isnan(leak)
    if kinked.any():
        positive = np.add.reduceat(above, first)
        slope = np.where(kinked, positive + leak**2 * (pairs - positive), slope)
        level = np.where(
            kinked, np.where(np.abs(leak) < SATURATED_BELOW, pairs - positive, 0.0), level
        )
        dead = np.where(kinked & (leak != 0), 0.0, dead)
    return np.stack([np.sqrt(value / pairs), np.sqrt(slope / pairs), level / pairs, dead])
