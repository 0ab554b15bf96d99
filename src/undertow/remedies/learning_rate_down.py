"""A smaller learning rate."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy
from undertow.spec.trial import with_training

REMEDY = Remedy(
    name="learning-rate-down",
    advice="divide the learning rate by ten",
    on_trial=lambda trial: with_training(trial, learning_rate=trial.training.learning_rate / 10),
)
