"""What R networks answer to a test set: loss, accuracy, the largest predicted share."""

from __future__ import annotations

import torch
from torch import Tensor

from undertow.engine.common.losses import losses, predicted_classes
from undertow.engine.common.sampling import Measurements
from undertow.spec.training import TrainingSpec


def score_answers(training: TrainingSpec, logits: Tensor, targets: Tensor) -> Measurements:
    """Measure what R networks answer to a test set: logits [R, outputs, samples], targets."""
    truth = targets.expand(len(logits), -1)
    predicted = predicted_classes(training.loss, logits)
    kinds = range(max(2, logits.shape[1]))
    shares = torch.stack([(predicted == kind).float().mean(1) for kind in kinds])
    return {
        "test_loss": losses(training.loss, logits, truth),
        "test_accuracy": (predicted == truth).float().mean(1),
        "predicted_share": shares.amax(0),
    }
