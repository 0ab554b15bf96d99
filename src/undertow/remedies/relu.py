"""ReLU with the weights as they are."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy

REMEDY = Remedy(
    name="relu",
    strength="Active units pass a gradient on undiminished.",
    weakness=(
        "Half of the units are not active, and these weights are below He's: a gradient still "
        "shrinks from layer to layer, so learning begins late."
    ),
    applies="Almost everywhere, but with He's weights.",
)
