"""Traces of a few networks with just the numbers a test names."""

from __future__ import annotations

from typing import Any

import numpy as np

from undertow.studies.experiment import Claim, judge
from undertow.trace.record import Chunk, Header, Layer, Trace, build, provenance

R = 12


def made(depth: int = 10, *, seed: int = 0, rate: float = 1e-3, **numbers: Any) -> Trace:
    """A trace of R networks over two steps with the numbers given, a little spread."""
    spread = 1 + 0.01 * np.random.default_rng(seed).normal(size=R)
    total = numbers.get("total_dex", -1.0)
    gain = np.linspace(total, 0, depth)
    layers = [Layer(f"hidden_{i}", i, "linear", "relu", 2, 2) for i in range(1, depth + 1)]
    layers.append(Layer("output", depth + 1, "linear", "linear", 2, 1))

    def by_layer(values: np.ndarray | float) -> np.ndarray:
        row = np.broadcast_to(values, depth + 1)
        return spread[:, None, None] * np.tile(row, (R, 2, 1))

    gradient = numbers.get("gradient", 1e-3)
    gain = numbers.get("log_deltas", gain)
    accuracy = numbers.get("accuracy", 0.9) + 0.001 * spread
    accuracy[: numbers.get("stuck", 0)] = 0.5
    ends = numbers.get("stage_accuracies")
    weights = np.ones(depth + 1)
    moved = numbers.get("moved", np.full(depth + 1, gradient * rate))
    arrays = {
        "delta_norm": by_layer(10.0 ** np.append(gain, 0)),
        "grad_norm": by_layer(gradient),
        "grad_mean_abs": by_layer(gradient / 10),
        "update_norm": by_layer(moved * numbers.get("step_ratio", 1.0)),
        "weight_norm": by_layer(weights)
        * np.array([1.0, numbers.get("weight_growth", 1.0)])[:, None],
        "dead_fraction": by_layer(numbers.get("dead", 0.0)),
        "saturated_fraction": by_layer(numbers.get("saturated", 0.0)),
        "preactivation_rms": by_layer(numbers.get("preactivation", 0.5)),
        "slope_rms": by_layer(numbers.get("slope", 0.24)),
        "test_accuracy": np.stack([spread * end for end in ends] if ends else [accuracy] * 2, 1),
        "predicted_share": np.full((R, 2), 0.5),
    }
    attributes = {
        "training": {"learning_rate": rate, "epochs": 1, "stages": [(1, 0), (2, 0)]},
        "network": {"initialisation": "glorot_uniform"},
        "larger_test_share": 0.54,
    }
    start = np.random.default_rng(seed).normal(size=(R, 2, 10))
    epoch = start + numbers.get("epoch_change", 0.002)
    return build(
        Header(tuple(layers), tuple(range(R)), provenance("trained", **attributes)),
        [Chunk(np.array([1, 2]), np.array([1, 2]), arrays)],
        artefacts={
            "first_layer_change": np.stack(
                [
                    spread * numbers.get("percent", 50.0),
                    spread * numbers.get("absolute", gradient * rate / 10),
                ]
            ),
            "first_layer_weights": np.stack([start, epoch, epoch]),
        },
    )


def verdict(claim: Claim, **arms: Trace) -> str:
    return judge(claim, {name.replace("_", "-"): trace for name, trace in arms.items()}).verdict
