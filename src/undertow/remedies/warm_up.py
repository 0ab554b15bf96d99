"""A learning rate that grows at first."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy

REMEDY = Remedy(
    name="warm-up",
    advice="let the learning rate grow over the first hundred steps",
)
