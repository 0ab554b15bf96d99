"""Claim 14: layers near the output change, layers near the input hardly."""

from __future__ import annotations

import numpy as np

from undertow.experiments.claims.wording import beats
from undertow.numerals import grouped
from undertow.studies.experiment import Arms, Claim, ClaimVerdict, decide
from undertow.trace import readings

HARDLY = 0.1  # a tenth of the last hidden layer's relative change
ARMS = {"SGD": "baseline", "Adam": "adam-only"}


def _judge(arms: Arms) -> ClaimVerdict:
    holds, words = [], []
    for optimizer, arm in ARMS.items():
        steps = readings.hidden(arms[arm], "update_norm").astype(np.float64)
        relative = steps.mean(1) / readings.hidden(arms[arm], "weight_norm")[:, 0]
        first, last = relative[:, 0], relative[:, -1]
        holds.append(beats(HARDLY * last, first))
        rate = readings.learning_rate(arms[arm])
        share = grouped(float(np.median(first / last)))
        words.append(
            f"{optimizer} at rate {rate:g}: layer 1 moves {share} times as far as the last hidden "
            "layer"
        )
    return decide(
        holds,
        f"Median over networks of the mean recorded step, as a share of the weights' norm. "
        f"{'; '.join(words)}. Only the optimizer and its rate differ.",
    )


CLAIM = Claim(
    14,
    "Weights of layers near the output change significantly, those near the input remain almost "
    "unchanged.",
    tuple(ARMS.values()),
    _judge,
)
