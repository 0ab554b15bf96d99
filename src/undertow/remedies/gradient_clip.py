"""Clipping the gradient's norm."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy
from undertow.spec.trial import with_training

REMEDY = Remedy(
    name="gradient-clip",
    advice="clip the gradient's norm",
    strength="A seat belt against steps that are too large.",
    weakness="It makes gradients smaller, never larger: against vanishing it does nothing.",
    applies="Recurrent networks, and gradients that explode now and then.",
    on_trial=lambda trial: with_training(trial, clip=1.0),
)
