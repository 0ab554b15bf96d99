"""Batch normalisation."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy
from undertow.spec.trial import with_network

REMEDY = Remedy(
    name="batch-norm",
    advice="normalise each layer's output over the batch",
    strength="It takes the mean off and brings every layer to the same scale, at any depth.",
    weakness=(
        "It needs batches of some size, couples their samples, and in deep ReLU networks "
        "without skips makes gradients grow from layer to layer."
    ),
    applies=(
        "With convolutions and dense layers, batches of 16 and more, and skips where it is deep."
    ),
    on_trial=lambda trial: with_network(trial, normalisation="batch"),
)
