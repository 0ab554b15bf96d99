"""Adam on the baseline itself."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy

REMEDY = Remedy(
    name="adam-only",
    strength="The same network: what Adam itself does is seen apart from the weights' scale.",
    weakness="The gradient at the start is, to the last digit, that of the baseline.",
    applies="To tell what is due to the optimizer.",
)
