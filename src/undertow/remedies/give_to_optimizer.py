"""Weights that no optimizer has."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy

REMEDY = Remedy(
    name="give-to-optimizer",
    advice="give those weights to the optimizer",
)
