"""Gradients standardised on their way back."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy

REMEDY = Remedy(
    name="gradient-norm",
    strength="No gradient vanishes: each has a standard deviation of 1 an entry.",
    weakness=(
        "An entry of a mean loss should shrink with batch and width; a standard deviation of "
        "1 is a step of thousands, and its mean, which held the direction, is taken off."
    ),
    applies="Nowhere as published; scale whole layers to a norm that comes from the error.",
)
