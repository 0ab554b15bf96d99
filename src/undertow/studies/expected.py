"""What theory expects of an arm at step 1, kept beside the run that will show it."""

from __future__ import annotations

from typing import Any

import numpy as np

from undertow.data.dataset import Data
from undertow.errors import SpecError
from undertow.numerals import finite
from undertow.prediction.network import predict
from undertow.spec.network import NetworkSpec
from undertow.spec.training import TrainingSpec
from undertow.trace import readings
from undertow.trace.record import Trace

KEPT = (
    "grad_norm",
    "delta_norm",
    "sd_dex",
    "median_shift_dex",
    "ratio_sd_dex",
    "ratio_shift_dex",
)


def predict_arm(network: NetworkSpec, training: TrainingSpec, data: Data) -> dict[str, Any] | None:
    """Predict a batch's norms, [layers] each, or None where the theory has nothing to say.

    >>> from undertow.data.dataset import load
    >>> spec = NetworkSpec(inputs=2, outputs=1, depth=3, width=10, activation="tanh")
    >>> found = predict_arm(spec, TrainingSpec(), load("moons"))
    >>> [round(norm, 2) for norm in found["grad_norm"]]
    [0.31, 0.4, 0.4, 0.29]

    Any batch of the same size does: predictions of two differ by a hundredth of a decade.
    """
    if training.stages:  # step 1 is that of a shallower network
        return None
    batch = data.first(training.batch_size)
    try:
        trace = predict(
            network, batch.train_inputs, targets=batch.train_targets, loss=training.loss
        )
    except SpecError:
        return None
    found: dict[str, Any] = {
        name: [finite(number) for number in row.tolist()]
        for name in KEPT
        if name in trace.dataset
        for row in trace.dataset[name].values[0]
    }
    return found | {"caution": trace.attributes["caution"]}


def disagreement(trace: Trace) -> np.ndarray | None:
    """Return log10 of measured over expected gradient of every layer at step 1, in dex; [layers].

    >>> import xarray
    >>> measured = {"grad_norm": (("replicate", "step", "layer"), [[[0.1, 1.0]]])}
    >>> attributes = {"predicted": {"grad_norm": [0.01, 1.0]}}
    >>> disagreement(Trace(xarray.Dataset(measured, attrs=attributes)))  # ten times the expected
    array([1., 0.])

    Root mean squares over the replicates, for these are what the theory gives.
    """
    theory = trace.attributes.get("predicted")
    if not theory:
        return None
    norms = readings.first_step(trace, "grad_norm").astype(np.float64)
    with np.errstate(divide="ignore"):
        return 0.5 * np.log10(np.mean(norms**2, 0)) - np.log10(theory["grad_norm"])
