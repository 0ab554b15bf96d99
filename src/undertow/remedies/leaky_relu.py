"""Leaky ReLU."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy
from undertow.spec.trial import with_network

REMEDY = Remedy(
    name="leaky-relu",
    advice="leaky ReLU: its units cannot die",
    on_trial=lambda trial: with_network(trial, activation="leaky_relu"),
)
