"""Gradients scaled to a norm of 1 on their way back."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy

REMEDY = Remedy(
    name="gradient-unit",
    strength="Every layer gets a gradient of one size, in its own direction.",
    weakness=(
        "What is descended is no longer the gradient of a loss, and a direction that has "
        "become noise is amplified as well."
    ),
    applies="As the form in which the published gradient normalisation can train at all.",
)
