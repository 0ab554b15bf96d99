"""tanh with LeCun's weights."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy
from undertow.spec.trial import with_network

REMEDY = Remedy(
    name="tanh-lecun",
    advice="tanh, with LeCun's initial weights",
    strength="Centred by itself, and critical with these weights: a power law in place of a decay.",
    weakness="Saturates where inputs or steps are large.",
    applies="Up to some tens of layers without normalisation.",
    on_trial=lambda trial: with_network(
        trial, activation="tanh", initialisation="lecun_normal", gain=1.0
    ),
)
