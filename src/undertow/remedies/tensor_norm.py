"""Normalisation over a whole tensor."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy

REMEDY = Remedy(
    name="tensor-norm",
    strength=(
        "It is batch normalisation without parameters, statistics or a difference at test time."
    ),
    weakness=(
        "One mean for all units leaves each unit's own mean in; a test answer depends on its "
        "neighbours in the batch."
    ),
    applies="As a demonstration; layer normalisation does it a sample at a time.",
)
