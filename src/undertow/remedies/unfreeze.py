"""A frozen layer, trained again."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy

REMEDY = Remedy(
    name="unfreeze",
    advice="requires_grad_(True), unless it is frozen on purpose",
)
