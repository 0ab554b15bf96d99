"""Random initial weights."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy

REMEDY = Remedy(
    name="random-weights",
    advice="draw the initial weights at random: equal ones never part",
)
