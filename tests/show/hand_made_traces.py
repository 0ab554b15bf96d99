"""Small traces made by hand: what the laboratory would write, without training anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from undertow.trace.record import Chunk, Event, Header, Layer, Trace, build

LAYERS = 4  # three hidden, one output


def artefacts(replicates: int, seed: int) -> dict[str, np.ndarray]:
    """Return every artefact of a two-dimensional experiment."""
    random = np.random.default_rng(seed)
    histogram = np.zeros((2, replicates, LAYERS - 1, 80), np.int32)
    histogram[..., 36:44] = 5
    return {
        "first_layer_weights": random.normal(size=(3, replicates, 2, 3)),
        "first_layer_change": random.uniform(1, 50, (2, replicates)),
        "preactivation_histogram": histogram,
        "decision_grid": random.uniform(0, 1, (replicates, 6, 8)).astype(np.float32),
        "decision_extent": np.array([-1.0, 2.0, -0.5, 1.5], np.float32),
        "data_inputs": random.normal(size=(12, 2)).astype(np.float32),
        "data_targets": np.arange(12) % 2,
        "data_test": (np.arange(12) >= 8).astype(np.uint8),
    }


def trace(
    replicates: int = 5,
    epochs: int = 3,
    steps: int = 2,
    *,
    seed: int = 0,
    activation: str = "sigmoid",
    without: Sequence[str] = (),
    events: Sequence[Event] = (),
    changes: Mapping[str, Any] | None = None,
    layer_name: str = "hidden_1",
    **attributes: Any,
) -> Trace:
    """Build a trace; `without` names what is left out, `changes` maps a variable to a function."""
    random = np.random.default_rng(seed)
    total = epochs * steps
    per_layer, per_step = (replicates, total, LAYERS), (replicates, total)
    arrays: dict[str, np.ndarray] = {
        "grad_norm": 10.0 ** (random.uniform(-1, 1, per_layer) + np.arange(LAYERS) - 5),
        "delta_norm": 10.0 ** (random.uniform(-1, 1, per_layer) + np.arange(LAYERS) - 6),
        "grad_mean_abs": 10.0 ** (random.uniform(-1, 1, per_layer) + np.arange(LAYERS) - 6),
        "nonfinite": np.zeros(per_layer),
        "saturated_fraction": random.uniform(0, 0.2, per_layer),
        "loss": random.uniform(0.1, 1, per_step),
        "accuracy": random.uniform(0.4, 1, per_step),
        "test_loss": random.uniform(0.1, 1, per_step),
        "test_accuracy": random.uniform(0.4, 1, per_step),
        "predicted_share": random.uniform(0.5, 0.9, per_step),
    }
    for name in ("test_loss", "test_accuracy", "predicted_share"):
        arrays[name][:, np.arange(1, total + 1) % steps != 0] = np.nan
    for name, change in (changes or {}).items():
        change(arrays[name])
    layers = tuple(
        Layer(
            layer_name if place == 1 else "output" if place == LAYERS else f"hidden_{place}",
            place,
            "linear",
            activation if place < LAYERS else "linear",
            2 if place == 1 else 3,
            1 if place == LAYERS else 3,
        )
        for place in range(1, LAYERS + 1)
    )
    network = {"inputs": 2, "outputs": 1, "depth": 3, "width": 3, "activation": activation}
    known: dict[str, Any] = {
        "source": "trained",
        "created": "2026-01-01T00:00:00+00:00",
        "versions": {"python": "3.11", "undertow": "0.1.0"},
        "larger_test_share": 0.5,
        "network": network,
        "training": {"optimizer": "keras_adam", "learning_rate": 0.001},
        "note": "made by hand",
    }
    return build(
        Header(layers, tuple(range(replicates)), known | attributes),
        [
            Chunk(
                np.arange(1, total + 1),
                np.repeat(np.arange(1, epochs + 1), steps),
                {name: array for name, array in arrays.items() if name not in without},
            )
        ],
        events,
        {name: array for name, array in artefacts(replicates, seed).items() if name not in without},
    )


def document(arms: Sequence[str]) -> dict[str, Any]:
    """Return what `undertow run --json` would print, made up."""
    norm = {"first": 1e-6, "last": None}
    return {
        "experiment": "moons",
        "seed": 0,
        "replicates": 5,
        "epochs": 3,
        "networks": 5,
        "seconds": 1.0,
        "store": "undertow.db",
        "arms": [
            {
                "name": arm,
                "run": f"moons-{place}",
                "parameters": 37,
                "test_accuracy": {
                    "mean": 0.75,
                    "ci95": [0.5, 0.9],
                    "stuck": 1,
                    "values": [0.5, 0.75, 0.75, 0.75, 1.0],
                },
                "train_loss": {"first": 0.7, "last": 0.5},
                "layers": [{"name": "hidden_1", "depth": 1, "grad_norm": norm, "delta_norm": norm}],
                "first_layer_weight_change": {"percent": 12.0, "over_learning_rate": 80.0},
                "total_dex": -4.25,
            }
            for place, arm in enumerate(arms)
        ],
        "comparisons": [
            {
                "arm": arms[-1],
                "baseline": arms[0],
                "difference": 0.25,
                "ci95": None,
                "p_value": 0.01,
                "p_holm": 0.02,
                "probability_of_improvement": 0.9,
                "note": "",
            }
        ],
        "claims": [
            {"claim": "Gradients vanish.", "verdict": "supported", "evidence": "They do: 1 & 2."},
            {"claim": "They explode.", "verdict": "not tested", "evidence": "needs the arm x"},
        ],
    }


def rows(chart: Any, *fields: str) -> list[dict[str, Any]]:
    """Return the rows drawn that hold all these fields, from every data set of a chart."""
    found = chart.to_dict()["datasets"].values()
    return [row for part in found for row in part if all(field in row for field in fields)]
