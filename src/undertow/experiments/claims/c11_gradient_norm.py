"""Claim 11: normalising gradients on their way back keeps them reasonable."""

from __future__ import annotations

import numpy as np

from undertow.experiments.claims.wording import count, median, mostly
from undertow.studies.experiment import Arms, Claim, ClaimVerdict, decide
from undertow.trace import readings

ARMS = {"gradient-norm": "as published", "gradient-unit": "to a norm of 1"}


def _judge(arms: Arms) -> ClaimVerdict:
    holds, words = [], []
    for arm, name in ARMS.items():
        stuck = readings.is_stuck(arms[arm])
        holds.append(mostly(~stuck))
        words.append(
            f"{name}: first gradient {median(readings.first_gradient(arms[arm]))}, median accuracy "
            f"{np.median(readings.test_accuracy(arms[arm])):.4f}, {count(stuck)} stuck"
        )
    gradient = median(readings.first_gradient(arms["baseline"]))
    return decide(
        holds,
        f"The baseline's first gradient at step 1 is {gradient}. {'; '.join(words)}.",
    )


CLAIM = Claim(
    11,
    "Normalising gradients during backpropagation maintains reasonable values.",
    ("baseline", *ARMS),
    _judge,
)
