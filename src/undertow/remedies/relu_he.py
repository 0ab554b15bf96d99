"""ReLU with He's weights."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy
from undertow.spec.trial import with_network

REMEDY = Remedy(
    name="relu-he",
    advice="ReLU, with He's initial weights",
    strength="Critical for ReLU: on average a gradient neither shrinks nor grows.",
    weakness="On average only: narrow deep networks vary by decades, and units can die.",
    applies="The default for ReLU networks without normalisation.",
    on_trial=lambda trial: with_network(
        trial, activation="relu", initialisation="he_normal", gain=1.0
    ),
)
