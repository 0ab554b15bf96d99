"""Far larger initial weights: a standard deviation of 10."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy

REMEDY = Remedy(
    name="init-std-10",
    strength="No gradient is too small to move a weight.",
    weakness=(
        "Nearly every unit is saturated from the start, so a few lucky ones make the gradient."
    ),
    applies="Nowhere; it shows that more is not better.",
)
