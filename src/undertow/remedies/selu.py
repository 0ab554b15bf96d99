"""SELU with LeCun's weights."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy
from undertow.spec.trial import with_network

REMEDY = Remedy(
    name="selu",
    advice="SELU, with LeCun's initial weights",
    strength="Activations are drawn to mean 0 and variance 1 by themselves.",
    weakness="Holds for dense layers with LeCun's weights, and gradients grow slowly with depth.",
    applies="Dense networks without normalisation.",
    on_trial=lambda trial: with_network(
        trial, activation="selu", initialisation="lecun_normal", gain=1.0
    ),
)
