"""Adam in place of SGD."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy

REMEDY = Remedy(
    name="adam",
    strength="Its steps do not depend on the size of a gradient, so the lowest layers move.",
    weakness=(
        "The gradient is as small as before: the lowest layers move by the sign of what "
        "arrives, however little that says."
    ),
    applies=(
        "With networks that are nearly right; it hides a vanished gradient rather than curing it."
    ),
)
