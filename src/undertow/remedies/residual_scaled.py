"""Identity skips, branches scaled down."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy
from undertow.spec.trial import Trial, with_network


def on_trial(trial: Trial) -> Trial:
    """Add identity skips, branches scaled by 1 / sqrt(depth)."""
    scale = round(trial.network.depth**-0.5, 4)
    return with_network(trial, skips="identity", branch_scale=scale)


REMEDY = Remedy(
    name="residual-scaled",
    advice="add each layer's input to its output, branches scaled by 1 / sqrt(depth)",
    strength="A gradient reaches every layer, and scaled branches keep the sum from growing.",
    weakness="Needs layers of one width, or a projection.",
    applies="At any depth; the first thing to try beyond ten layers.",
    on_trial=on_trial,
)
