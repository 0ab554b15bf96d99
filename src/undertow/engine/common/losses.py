"""The two losses of R networks, their derivatives by the logits, and which answers are right."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

BINARY = "binary_cross_entropy"


def losses(loss: str, logits: Tensor, targets: Tensor) -> Tensor:
    """Mean loss of each batch: logits [..., outputs, batch], targets [..., batch] -> [...].

    >>> losses(BINARY, torch.zeros(3, 1, 8), torch.ones(3, 8, dtype=torch.long))
    tensor([0.6931, 0.6931, 0.6931])
    """
    if loss == BINARY:
        truth = targets.to(logits.dtype)
        return F.binary_cross_entropy_with_logits(logits[..., 0, :], truth, reduction="none").mean(
            -1
        )
    log_shares = F.log_softmax(logits, -2)
    return -log_shares.gather(-2, targets.unsqueeze(-2)).squeeze(-2).mean(-1)


def derivative(loss: str, logits: Tensor, targets: Tensor, out: Tensor) -> None:
    """Write d loss / d logits, [R, outputs, batch], of the mean over each batch."""
    if loss == BINARY:
        torch.sigmoid(logits, out=out).sub_(targets.unsqueeze(1))
    else:
        torch.softmax(logits, 1, out=out)
        one = out.new_ones(()).expand(len(out), 1, out.shape[2])
        out.scatter_add_(1, targets.unsqueeze(1), -one)
    out.div_(out.shape[2])


def predicted_classes(loss: str, logits: Tensor) -> Tensor:
    """Return the class each network gives each sample, [..., batch]."""
    return (logits[..., 0, :] > 0).long() if loss == BINARY else logits.argmax(-2)


def accuracy(loss: str, logits: Tensor, targets: Tensor) -> Tensor:
    """Share of each batch that is classified rightly, [...]."""
    return (predicted_classes(loss, logits) == targets).to(logits.dtype).mean(-1)
