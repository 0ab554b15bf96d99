"""Larger initial weights: a standard deviation of 1."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy

REMEDY = Remedy(
    name="init-std-1",
    strength="It makes up for the sigmoid's ceiling with large weights, and changes nothing else.",
    weakness=(
        "The size that works depends on the width: it is far from critical elsewhere, and "
        "large weights push units to their flat ends."
    ),
    applies="Where nothing but the initial weights may change; better, take the critical variance.",
)
