"""Larger batches."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy
from undertow.spec.trial import with_training

REMEDY = Remedy(
    name="larger-batch",
    advice="take batches of 16 and more",
    on_trial=lambda trial: with_training(trial, batch_size=max(32, trial.training.batch_size)),
)
