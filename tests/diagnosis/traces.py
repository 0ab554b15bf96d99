"""Traces of a few steps with just the numbers a test names; the rest is that of a healthy net."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import undertow as ut
from undertow.diagnosis.diagnose import Diagnosis, Finding
from undertow.diagnosis.thresholds import DEFAULT, Thresholds
from undertow.trace.record import Chunk, Header, Layer, Trace, build, provenance
from undertow.trace.schema import VARIABLES

STEPS = 60  # that are recorded
LAST = 10  # times as many were made: more than a loss that does not fall is forgiven
FALLING, FLAT = np.linspace(1.0, 0.1, STEPS), np.full(STEPS, 1.0)


def chain(
    hidden: int = 6, activation: str = "relu", width: int = 64, inputs: int = 20, outputs: int = 3
) -> list[Layer]:
    """Return hidden_1 ... hidden_n, output."""
    widths = [inputs, *[width] * hidden, outputs]
    names = [f"hidden_{i}" for i in range(1, hidden + 1)] + ["output"]
    activations = [activation] * hidden + ["linear"]
    return [
        Layer(name, i + 1, "linear", activations[i], widths[i], widths[i + 1])
        for i, name in enumerate(names)
    ]


def at(layers: Sequence[Layer], **changes: Any) -> list[Layer]:
    """Change fields of layers by the layers' names: at(layers, hidden_1={"kind": "conv"})."""
    return [each._replace(**changes.get(each.name, {})) for each in layers]


def row(layers: int, value: float, **others: float) -> np.ndarray:
    """Return one number a layer; others by place, counted from 1: row(7, 0, at_3=1)."""
    found = np.full(layers, float(value))
    for name, other in others.items():
        found[int(name.removeprefix("at_")) - 1] = other
    return found


def made(
    layers: Any = None,
    *,
    steps: Any = STEPS,
    replicates: Any = 1,
    source: Any = "watched",
    without: Any = (),
    events: Any = (),
    attributes: Any = None,
    **changes: Any,
) -> Trace:
    """Build a trace of layers and events; a change is broadcast to the variable's shape.

    A change of a variable by layer may be [layer], [step, 1], [step, layer] or whole; of one by
    step [step] or whole.
    """
    layers = chain() if layers is None else list(layers)
    count = len(layers)
    whole: dict[str, Any] = {
        "grad_norm": 0.1,
        "grad_mean_abs": 1e-3,
        "delta_norm": 0.01,
        "weight_norm": 8.0,
        "update_norm": 8e-3,
        "activation_rms": 1.0,
        "preactivation_rms": 1.0,
        "slope_rms": 0.7,
        "saturated_fraction": 0.02,
        "dead_fraction": 0.05,
        "distinct_units": 1.0,
        "nonfinite": 0.0,
        "loss": np.linspace(1.0, 0.1, steps) if steps else np.zeros(0),
        "learning_rate": 0.05,
        "input_rms": 1.0,
        "output_spread": 1.0,
    }
    sizes = {"replicate": replicates, "step": steps, "layer": count}
    arrays = {}
    for name, value in (whole | changes).items():
        if name in without:
            continue
        shape = tuple(sizes[dim] for dim in VARIABLES[name].dims)
        arrays[name] = np.array(np.broadcast_to(np.asarray(value, float), shape))
    known = {"dtype": "float32", "batch_size": 64, **(attributes or {})}
    header = Header(tuple(layers), tuple(range(replicates)), provenance(source, **known))
    count_up = np.arange(1, steps + 1)
    if steps >= STEPS:
        count_up[-1] = LAST * steps
    return build(header, [Chunk(count_up, np.ones(steps, int), arrays)], events)


def slide(hidden: int, dex: float) -> np.ndarray:
    """Return deltas that change evenly, by `dex` in all from the last hidden layer to the first."""
    profile = np.linspace(dex, 0.0, hidden)
    return 10.0 ** np.append(profile, 0.0) * 0.01


def cliff(hidden: int, dex: float, below: int) -> np.ndarray:
    """Return deltas that change by `dex` between layer `below` and the next, and nowhere else."""
    profile = np.where(np.arange(1, hidden + 2) <= below, dex, 0.0)
    return 10.0**profile * 0.01


def broken_from(step: int, layers: int, steps: int = STEPS) -> dict[str, np.ndarray]:
    """Return what a run holds that has NaN in every gradient and loss from a step on."""
    late = np.arange(1, steps + 1) >= step
    return {
        "nonfinite": np.where(late[:, None], 5.0, np.zeros((1, layers))),
        "grad_norm": np.where(late[:, None], np.nan, np.full((1, layers), 0.1)),
        "loss": np.where(late, np.nan, 1.0),
    }


def outcome(trace: Trace, code: str, predicted: Any = None, **changes: Any) -> str:
    """Return what became of one rule; `changes` are of thresholds."""
    return verdict(trace, code, predicted, **changes)[0]


def verdict(trace: Trace, code: str, predicted: Any = None, **changes: Any) -> tuple[str, str]:
    """Return what became of one rule, and why."""
    found = _diagnosed(trace, predicted, changes)
    ((_, became, reason),) = [each for each in found.rules if each.code == code]
    return became, reason


def finding(trace: Trace, code: str, predicted: Any = None, **changes: Any) -> Finding:
    """Return the finding of one rule, which has to be there."""
    found = _diagnosed(trace, predicted, changes)
    (one,) = [each for each in found.findings if each.code == code]
    return one


def _diagnosed(trace: Trace, predicted: Trace | None, changes: Mapping[str, Any]) -> Diagnosis:
    thresholds = Thresholds(**changes) if changes else DEFAULT
    return ut.diagnose(trace, predicted, thresholds=thresholds)
