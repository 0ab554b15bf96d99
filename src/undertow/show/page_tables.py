"""The report's tables as plain rows of text and numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from undertow.show.axes import scientific
from undertow.show.figure import Traces
from undertow.trace.record import Trace

NONE = "–"


class Network(NamedTuple):
    """One architecture, the arms that have it, and its layers."""

    arms: list[str]
    activations: list[str]
    normalisation: str
    layers: list[dict[str, Any]]
    total: int


def number(value: float | None, digits: str = "", unit: str = "") -> str:
    """Write a number, or a dash for one that is not defined.

    >>> number(1.06e-7), number(-5.907, "+.1f", " dex"), number(None)
    ('1.1 × 10⁻⁷', '-5.9 dex', '–')
    """
    if value is None or not math.isfinite(value):
        return NONE
    return (format(value, digits) if digits else scientific(value)) + unit


def arms(document: Mapping[str, Any], traces: Traces) -> list[dict[str, str]]:
    """Return a row an arm: what it is, how well it does, what gradient reaches layer 1."""
    return [_arm(arm, traces.get(arm["name"])) for arm in document.get("arms", ())]


def comparisons(document: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a row a comparison of an arm with the baseline."""
    return [
        {
            "arm": row["arm"],
            "baseline": row["baseline"],
            "difference": number(_percent(row.get("difference")), "+.1f", " points"),
            "interval": _interval(row.get("ci95"), "+.1f"),
            "p": number(row.get("p_holm")),
            "improvement": number(row.get("probability_of_improvement"), ".2f"),
            "note": row.get("note") or "",
        }
        for row in document.get("comparisons", ())
    ]


def networks(traces: Traces) -> list[Network]:
    """Return each architecture once, with the arms that share it."""
    found: dict[tuple[Any, ...], Network] = {}
    for arm, trace in traces.items():
        coordinates = trace.dataset.coords
        layers = [
            {
                "place": place + 1,
                "name": str(coordinates["layer"].values[place]),
                "kind": str(coordinates["kind"].values[place]),
                "fan_in": int(coordinates["fan_in"].values[place]),
                "fan_out": int(coordinates["fan_out"].values[place]),
            }
            for place in range(trace.dataset.sizes["layer"])
        ]
        for layer in layers:
            # A framework's layers are not all dense: only those of the laboratory can be counted.
            dense = "network" in trace.attributes
            size = layer["fan_in"] * layer["fan_out"] + layer["fan_out"]
            layer["parameters"] = size if dense else None
        normalisation = trace.attributes.get("network", {}).get("normalisation", "none")
        key = (normalisation, *(tuple(layer.values()) for layer in layers))
        network = found.setdefault(key, Network([], [], normalisation, layers, _total(trace)))
        network.arms.append(arm)
        activation = str(coordinates["activation"].values[0])
        if activation not in network.activations:
            network.activations.append(activation)
    return list(found.values())


def method(document: Mapping[str, Any], traces: Traces) -> list[tuple[str, str]]:
    """Return where the numbers come from: versions, seeds, training, as pairs of words."""
    pairs = [
        (name, str(document[name]))
        for name in ("experiment", "replicates", "epochs", "networks", "store")
        if document.get(name) is not None
    ]
    if not traces:
        return pairs
    trace = next(iter(traces.values()))
    attributes = trace.attributes
    seeds = trace.dataset["seed"].values
    if len(seeds):
        pairs.append(("seeds", f"{int(seeds.min())} to {int(seeds.max())} ({len(seeds)})"))
    known = ("source", "created", "data", "engine", "device", "dtype", "batch_size", "sampling")
    pairs += [
        (name.replace("_", " "), str(attributes[name])) for name in known if name in attributes
    ]
    versions = attributes.get("versions")
    if isinstance(versions, Mapping):
        pairs.append(("versions", ", ".join(f"{name} {what}" for name, what in versions.items())))
    return pairs


def _arm(arm: Mapping[str, Any], trace: Trace | None) -> dict[str, str]:
    attributes = trace.attributes if trace else {}
    accuracy = arm.get("test_accuracy") or {}
    layers = arm.get("layers") or [{}]
    first = layers[0].get("grad_norm") or {}
    change = arm.get("first_layer_weight_change") or {}
    training = attributes.get("training", {})
    mean = number(_percent(accuracy.get("mean")), ".1f", " %")
    interval = _interval(accuracy.get("ci95"), ".1f")
    count = len(accuracy.get("values", ()))
    return {
        "name": str(arm["name"]),
        "note": str(attributes.get("note", "")),
        "optimizer": (
            f"{training['optimizer'].replace('_', ' ')}, {training['learning_rate']:g}"
            if "optimizer" in training and "learning_rate" in training
            else NONE
        ),
        "accuracy": mean if interval == NONE else f"{mean} {interval}",
        "stuck": f"{accuracy['stuck']} of {count}" if accuracy.get("stuck") is not None else NONE,
        "first": number(first.get("first")),
        "last": number(first.get("last")),
        "dex": number(arm.get("total_dex"), "+.1f"),
        "percent": number(change.get("percent")),
        "over_rate": number(change.get("over_learning_rate")),
        "parameters": number(arm.get("parameters"), ",d"),
    }


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _interval(ends: Any, digits: str) -> str:
    if not ends or any(end is None for end in ends):
        return NONE
    return f"[{100 * ends[0]:{digits}}, {100 * ends[1]:{digits}}]"


def _total(trace: Trace) -> int:
    from undertow.spec import NetworkSpec

    values = trace.attributes.get("network")
    return NetworkSpec(**values).parameters if values else 0
