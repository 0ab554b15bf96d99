"""What the lessons measure: small networks, one pass each, or part of a second of training."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from undertow.data.dataset import Data
from undertow.data.toy import make_samples
from undertow.experiments.presets import preset
from undertow.spec.checked import with_changes
from undertow.spec.network import NetworkSpec
from undertow.spec.toy import ToySpec
from undertow.spec.training import TrainingSpec
from undertow.spec.trial import Trial
from undertow.statistics.bands import median
from undertow.studies.expected import predict_arm
from undertow.studies.trial import first_step, train_trial
from undertow.trace import readings
from undertow.trace.record import Trace
from undertow.verbs.arms import diagnose_and_explain

FEATURES = 64


class Measured(NamedTuple):
    """One pass of some seeds: the trace, its budget, and total decades measured and foretold."""

    trace: Trace
    budget: dict[str, Any] | None
    total: float
    theory: float | None


@lru_cache(maxsize=128)
def measured(trial: Trial, *, gaussian: bool = False) -> Measured:
    """Measure a trial's first step, on its own data or on Gaussian inputs of many features."""
    data = gaussians(trial.network.inputs) if gaussian else make_samples(trial.data)
    trace = first_step(trial, data)
    _, budgets = diagnose_and_explain({"": trace})
    foretold = profile_of_theory(trace)
    return Measured(
        trace,
        budgets.get(""),
        median(readings.total_dex(trace)),
        float(foretold[0]) if foretold is not None else None,
    )


def profile_of_theory(trace: Trace) -> np.ndarray | None:
    """Return what theory expects of log10 |delta_l| / |delta_L| in the middle, hidden layers."""
    known = trace.attributes.get("predicted")
    if not known:
        return None
    dex = np.log10(np.asarray(known["delta_norm"], dtype=np.float64))[:-1]
    shift = np.asarray(known.get("ratio_shift_dex", [0.0] * (len(dex) + 1))[:-1], np.float64)
    return dex - dex[-1] + np.nan_to_num(shift)


def gaussians(features: int, samples: int = 256) -> Data:
    """Return standard normal inputs of two classes, for which theory is simplest."""
    random = np.random.default_rng(0)
    inputs = random.standard_normal((samples, features)).astype(np.float32)
    targets = (inputs[:, 0] > 0).astype(np.int64)
    return Data("gaussian", inputs, targets, inputs[:64], targets[:64])


def stack(depth: int, gain: float) -> Trial:
    """Return preset Silence at another depth, its weights multiplied."""
    trial = preset("silence").trial
    network = with_changes(trial.network, depth=depth, gain=gain)
    return trial.model_copy(update={"network": network})


def square(activation: str, depth: int) -> Trial:
    """Return a stack of square layers with weights of variance 1 / fan_in, Glorot's choice."""
    return _many_features(depth, activation, "lecun_normal")


def plane(activation: str, depth: int) -> Trial:
    """Return such a stack as the playground can show it: on inputs of two features."""
    network = NetworkSpec(
        inputs=2,
        outputs=1,
        depth=depth,
        width=FEATURES,
        activation=activation,
        initialisation="lecun_normal",
    )
    return Trial(data=ToySpec(standardised=True), network=network)


def edge(variance: float) -> Trial:
    """Return preset Edge of chaos at a weight variance."""
    trial = preset("edge of chaos").trial
    network = with_changes(trial.network, gain=round(variance**0.5, 6))
    return trial.model_copy(update={"network": network})


NORMED = {
    "ReLU, batch norm": ("relu", "he_normal", "batch"),
    "ReLU without": ("relu", "he_normal", "none"),
    "sigmoid, batch norm": ("sigmoid", "glorot_normal", "batch"),
    "sigmoid without": ("sigmoid", "glorot_normal", "none"),
}


def said(name: str) -> str:
    """Say a name of `NORMED` in a sentence.

    >>> said("ReLU without")
    'ReLU without normalisation'
    """
    return (
        name.replace(", ", " with ")
        .replace("batch norm", "batch normalisation")
        .replace("without", "without normalisation")
    )


def normed(name: str, batch: int, depth: int = 20) -> Trial:
    """Return a stack with or without batch normalisation, on batches of a size."""
    activation, weights, normalisation = NORMED[name]
    return _many_features(depth, activation, weights, batch, normalisation=normalisation)


def _many_features(
    depth: int, activation: str, weights: str, batch: int = 32, **more: Any
) -> Trial:
    network = NetworkSpec(
        inputs=FEATURES,
        outputs=1,
        depth=depth,
        width=FEATURES,
        activation=activation,
        initialisation=weights,
        **more,
    )
    return Trial(network=network, training=TrainingSpec(batch_size=batch))


@lru_cache(maxsize=4)
def healthy_theory(depth: int, width: int, batch: int) -> dict[str, Any]:
    """Return what theory expects of ReLU layers with He's weights on two moons."""
    network = NetworkSpec(
        inputs=2,
        outputs=1,
        depth=depth,
        width=width,
        activation="relu",
        initialisation="he_normal",
    )
    data = make_samples(ToySpec(standardised=True))
    return predict_arm(network, TrainingSpec(batch_size=batch), data) or {}


PAIRS = 20
FRESH = 1_000  # the first of the placebo's seeds


@lru_cache(maxsize=1)
def two_groups() -> tuple[np.ndarray, np.ndarray]:
    """Train twenty networks and twenty more from fresh seeds; return test accuracies in %."""
    return tuple(_accuracies(seed) for seed in (0, FRESH))  # pyright: ignore[reportReturnType]


def seeds_trial(seed: int = 0) -> Trial:
    """Return what lesson 4 trains: ten ReLU layers of ten, where luck decides much."""
    network = NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="relu")
    training = TrainingSpec(learning_rate=0.1, epochs=40)
    return Trial(data=ToySpec(), network=network, training=training, replicates=PAIRS, seed=seed)


def _accuracies(seed: int) -> np.ndarray:
    trial = seeds_trial(seed)
    return 100 * readings.test_accuracy(train_trial(trial, make_samples(trial.data))).astype(
        np.float64
    )


def optimizer_alone() -> float:
    """Return by how many decades any layer's first gradient moves when Adam replaces SGD."""
    trial = preset("silence").trial
    pair = [
        first_step(trial.model_copy(update={"training": training}), make_samples(trial.data))
        for training in (
            TrainingSpec(optimizer="sgd", learning_rate=1e-2),
            TrainingSpec(optimizer="adam", learning_rate=1e-3),
        )
    ]
    one, other = (np.log10(readings.values(trace, "grad_norm")) for trace in pair)
    return float(np.abs(one - other).max())
