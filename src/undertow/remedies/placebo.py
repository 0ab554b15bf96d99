"""The baseline again, from fresh seeds."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy

REMEDY = Remedy(
    name="placebo",
    strength="It shows how far two arms come apart by chance.",
    weakness="It cures nothing.",
    applies="Beside every comparison.",
)
