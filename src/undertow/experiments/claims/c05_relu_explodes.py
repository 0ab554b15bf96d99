"""Claim 5: ReLU can lead to exploding gradients."""

from __future__ import annotations

import numpy as np

from undertow.experiments.claims.wording import count, dex, mostly
from undertow.studies.experiment import Arms, Claim, ClaimVerdict, decide
from undertow.trace import readings

EXPLODED_ABOVE = 2.0  # dex: layer 1 gets more than a hundred times what the last hidden layer gets
ARMS = {"relu-20": "Glorot", "relu-20-he": "He", "relu-20-above-he": "above He"}


def _judge(arms: Arms) -> ClaimVerdict:
    holds, words = [], []
    for arm, name in ARMS.items():
        totals = readings.total_dex(arms[arm])
        crossed = readings.transitions(arms[arm])
        exploded = totals > EXPLODED_ABOVE
        holds.append(mostly(exploded))
        words.append(
            f"{name} {dex(totals)} ({np.median(totals) / crossed:+.3f} a layer), exploded in "
            f"{count(exploded)}"
        )
    return decide(
        holds,
        f"Median |delta_1| / |delta_L| at step 1 over {crossed} transitions, by the initial "
        f"weights: {'; '.join(words)}. Exploded means above {EXPLODED_ABOVE:+g} dex.",
    )


CLAIM = Claim(5, "ReLU in deep networks can lead to exploding gradients.", tuple(ARMS), _judge)
