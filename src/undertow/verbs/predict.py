"""Predict a network's gradients from theory, as a JSON document; nothing is trained."""

from __future__ import annotations

from typing import Any

import numpy as np

from undertow.errors import SpecError
from undertow.numerals import finite
from undertow.spec.network import NetworkSpec
from undertow.verbs.documents import PredictDocument, PredictedLayer


def predict_document(
    spec: dict[str, Any], inputs: int | None, data: str | None, batch: int
) -> PredictDocument:
    """Predict a network's gradients on a batch; return the JSON document.

    >>> spec = {"outputs": 1, "depth": 10, "width": 10, "activation": "sigmoid"}
    >>> round(predict_document(spec, inputs=2, data=None, batch=32)["total_dex"], 1)
    -5.6
    """
    from undertow.prediction.network import predict as predicted

    if batch < 1:
        raise SpecError(f"batch = {batch}: at least 1 sample, for example --batch 32")
    if data is None:
        network = NetworkSpec(inputs=2 if inputs is None else inputs, **spec)
        samples = np.random.default_rng(0).standard_normal((batch, network.inputs))
        targets = None
    else:
        samples, targets, classes = _samples(data, batch)
        network = NetworkSpec(inputs=samples.shape[1] if inputs is None else inputs, **spec)
        if network.inputs != samples.shape[1]:
            raise SpecError(f"inputs = {inputs}: {data} has {samples.shape[1]}; leave --inputs out")
        if classes > 2 and network.outputs != classes:
            raise SpecError(
                f"outputs = {network.outputs}: {data} has {classes} classes; type  "
                f"--outputs {classes}"
            )
    dataset = predicted(network, samples, targets=targets).to_xarray()
    with np.errstate(divide="ignore", invalid="ignore"):  # a norm of 0 has no logarithm: null
        grad, delta = np.log10([dataset[name].values[0, 0] for name in ("grad_norm", "delta_norm")])
        total = delta[0] - delta[-2]
    sd = dataset["sd_dex"].values[0, 0] if "sd_dex" in dataset else np.full(grad.shape, np.nan)
    layers: list[PredictedLayer] = [
        {
            "depth": place + 1,
            "log10_grad_norm": finite(grad[place]),
            "log10_delta_norm": finite(delta[place]),
            "sd_dex": finite(sd[place]),
        }
        for place in range(len(grad))
    ]
    return {
        "layers": layers,
        "total_dex": finite(total),
        "caution": dataset.attrs["caution"] or None,
    }


def _samples(data: str, batch: int) -> tuple[np.ndarray, np.ndarray, int]:
    from undertow.errors import needs

    needs("torch", "lab")
    from undertow.data.dataset import load

    whole = load(data)
    if batch > len(whole.train_targets):
        raise SpecError(f"batch = {batch}: {data} has {len(whole.train_targets)} training samples")
    return whole.train_inputs[:batch], whole.train_targets[:batch], whole.classes
