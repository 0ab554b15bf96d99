"""Claim 3: the change of a weight divided by the learning rate is its gradient."""

from __future__ import annotations

import numpy as np

from undertow.numerals import grouped
from undertow.studies.experiment import Arms, Claim, ClaimVerdict, decide
from undertow.trace import readings
from undertow.trace.record import Trace

AGREES_WITHIN = 0.01  # of the gradient


def _one_step(trace: Trace) -> np.ndarray:
    """|change of W_1 in step 1| / learning rate, over |dE/dW_1|; [R]."""
    change = readings.first_step(trace, "update_norm")[:, 0] / readings.learning_rate(trace)
    return change / readings.first_gradient(trace)


def _whole_training(trace: Trace) -> np.ndarray:
    """Mean |change of W_1 over all steps| / learning rate, over the first mean |dE/dW_1|; [R]."""
    change = readings.absolute_change(trace) / readings.learning_rate(trace)
    return change / readings.first_step(trace, "grad_mean_abs")[:, 0]


def _judge(arms: Arms) -> ClaimVerdict:
    cases = {
        "one step of SGD": _one_step(arms["relu-sgd"]),
        "one step of Adam": _one_step(arms["relu"]),
        "a whole training by SGD": _whole_training(arms["relu-sgd"]),
        "a whole training by Adam": _whole_training(arms["relu"]),
    }
    ratios = {name: float(np.median(ratio)) for name, ratio in cases.items()}
    holds = [abs(ratio - 1) < AGREES_WITHIN for ratio in ratios.values()]
    words = "; ".join(f"{name} {grouped(ratio)}" for name, ratio in ratios.items())
    return decide(
        holds,
        f"Change over learning rate, divided by the true first gradient of layer 1 (ReLU, median; "
        f"1 would be equal): {words}.",
    )


CLAIM = Claim(
    3,
    "(old weight - new weight) / learning rate is the gradient.",
    ("relu", "relu-sgd"),
    _judge,
)
