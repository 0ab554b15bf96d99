"""How a report's numbers were made: data, networks, training, measuring, statistics, versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from undertow.show.figure import Traces
from undertow.spec.network import NetworkSpec
from undertow.trace.record import Trace

MEASURED = {
    "engine": "engine",
    "device": "device",
    "dtype": "data type",
    "sampling": "recorded steps",
    "loss_reduction": "loss of a batch",
    "clipping": "clipping",
    "accumulation": "micro-batches a step",
    "amp_scale": "loss scale",
}
PLAIN = {"clipping": "none", "accumulation": "1", "amp_scale": "1.0"}  # goes without saying
NORM = (
    "A norm is the Frobenius norm over the whole tensor, for the mean loss of the batch, before "
    "the update. A layer's number is its place, the input's side first."
)


class Network(NamedTuple):
    """One architecture, the arms that have it, and its layers."""

    arms: list[str]
    activations: list[str]
    initialisations: list[str]
    normalisation: str
    layers: list[dict[str, Any]]
    total: int


class Training(NamedTuple):
    """One way to train, and the arms that are trained so."""

    arms: list[str]
    optimizer: str
    learning_rate: str
    batch_size: str
    epochs: str
    loss: str


def networks(traces: Traces) -> list[Network]:
    """Return each architecture once, with the arms that share it."""
    found: dict[tuple[Any, ...], Network] = {}
    for arm, trace in traces.items():
        spec = trace.attributes.get("network", {})
        layers = _layers(trace)
        normalisation = spec.get("normalisation", "none")
        key = (normalisation, *(tuple(layer.values()) for layer in layers))
        new = Network([], [], [], normalisation, layers, _total(spec))
        network = found.setdefault(key, new)
        network.arms.append(arm)
        activation = str(trace.dataset.coords["activation"].values[0])
        for name, known in (
            (activation, network.activations),
            (str(spec.get("initialisation", "")), network.initialisations),
        ):
            if name and name not in known:
                known.append(name)
    return list(found.values())


def trainings(traces: Traces) -> list[Training]:
    """Return each way to train once, with the arms that share it."""
    found: dict[tuple[str, ...], Training] = {}
    for arm, trace in traces.items():
        known = {**trace.attributes, **trace.attributes.get("training", {})}
        rate = known.get("learning_rate")
        how = (
            str(known.get("optimizer") or known.get("optimizers") or "").replace("_", " "),
            f"{rate:g}" if rate is not None else "",
            str(known.get("batch_size", "")),
            str(known.get("epochs", "")),
            str(known.get("loss", "")).replace("_", " "),
        )
        if any(how):
            found.setdefault(how, Training([], *how)).arms.append(arm)
    return list(found.values())


def data(traces: Traces) -> list[tuple[str, str]]:
    """Say what the networks were trained on, as pairs of words."""
    pairs: dict[tuple[str, str], None] = {}
    for trace in traces.values():
        known = trace.attributes
        if "data" in known:
            pairs["data set", str(known["data"])] = None
        if "data_test" in trace.artefacts:
            test = trace.artefacts["data_test"]
            parts = f"{int((test == 0).sum())} to train on, {int((test == 1).sum())} to test on"
            pairs["samples", parts] = None
        if known.get("larger_test_share") is not None:
            share = f"{100 * known['larger_test_share']:.0f} % of the test set"
            pairs["larger class", share] = None
    return list(pairs)


def how_measured(traces: Traces) -> list[tuple[str, str]]:
    """Say how it was measured, as pairs of words; what all arms share once."""
    pairs: dict[str, dict[str, None]] = {}
    for trace in traces.values():
        for name, word in MEASURED.items():
            value = str(trace.attributes.get(name, ""))
            if value and value != PLAIN.get(name):
                pairs.setdefault(word, {})[value] = None
        overhead = trace.attributes.get("overhead")
        if isinstance(overhead, float):
            pairs.setdefault("cost of measuring", {})[f"{100 * overhead:.1f} % of the time"] = None
    return [(word, "; ".join(values)) for word, values in pairs.items()]


def versions(traces: Traces) -> list[tuple[str, str]]:
    """Return program and version; several where the arms were made with several."""
    pairs: dict[str, dict[str, None]] = {}
    for trace in traces.values():
        for name, version in trace.attributes.get("versions", {}).items():
            pairs.setdefault(name, {})[str(version)] = None
    return [(name, ", ".join(values)) for name, values in pairs.items()]


def statistics(document: Mapping[str, Any], traces: Traces) -> list[str]:
    """Name the statistics that the page uses.

    >>> statistics({}, {})
    []
    """
    said = []
    if any(trace.dataset.sizes["replicate"] > 1 for trace in traces.values()):
        said.append(
            "Over replicates a line is the median and a band the middle 90 %. A replicate that "
            "has become NaN counts as larger than all others: none is dropped."
        )
    if document.get("arms"):
        said.append(
            "Accuracies are means over replicates with a 95 % interval (bias-corrected and "
            "accelerated bootstrap); gradients and changes are medians."
        )
    if document.get("comparisons"):
        said.append(
            "An arm is compared with the baseline seed by seed: the mean difference with "
            "Student's 95 % interval, p by an exact test that flips signs, after Holm's "
            "correction for all comparisons."
        )
    return said


def _layers(trace: Trace) -> list[dict[str, Any]]:
    coordinates = trace.dataset.coords
    # A framework's layers are not all dense: only those of the laboratory can be counted.
    dense = "network" in trace.attributes
    layers = []
    for place in range(trace.dataset.sizes["layer"]):
        fan_in, fan_out = (int(coordinates[name].values[place]) for name in ("fan_in", "fan_out"))
        layers.append(
            {
                "place": place + 1,
                "name": str(coordinates["layer"].values[place]),
                "kind": str(coordinates["kind"].values[place]),
                "fan_in": fan_in,
                "fan_out": fan_out,
                "parameters": fan_in * fan_out + fan_out if dense else None,
            }
        )
    return layers


def _total(spec: Mapping[str, Any]) -> int:
    return NetworkSpec(**spec).parameters if spec else 0
