"""A gradient that was cut off, joined again."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy

REMEDY = Remedy(
    name="reattach",
    advice="look for detach(), no_grad(), .data or an unused module before that layer",
)
