"""Layer normalisation."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy
from undertow.spec.trial import with_network

REMEDY = Remedy(
    name="layer-norm",
    advice="normalise each sample's activations over the units",
    strength="Needs no batch: every sample by itself, the same at test time.",
    weakness=(
        "It takes off the mean over units of a sample, not each unit's mean over samples, "
        "which is what a sigmoid suffers from."
    ),
    applies="Recurrent networks and transformers, or batches that are too small.",
    on_trial=lambda trial: with_network(trial, normalisation="layer"),
)
