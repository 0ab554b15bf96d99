"""More units a layer."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy
from undertow.spec.trial import with_network

REMEDY = Remedy(
    name="wider",
    advice="more units a layer: a layer of n is born dead with a chance of 2^-n",
    on_trial=lambda trial: with_network(trial, width=min(64, 4 * trial.network.width)),
)
