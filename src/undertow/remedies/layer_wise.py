"""Layer-wise training."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy

REMEDY = Remedy(
    name="layer-wise",
    strength="Each stage but the last trains few layers, so its gradients arrive.",
    weakness=(
        "Frozen layers keep what suited an earlier task, each new output layer starts again, "
        "and a deeper stage can be worse than the one before."
    ),
    applies="Hardly today; historically as pre-training, with a better objective for each layer.",
)
