"""Claim 4: gradients vanish with sigmoid or tanh."""

from __future__ import annotations

from undertow.experiments.claims.wording import count, dex, mostly
from undertow.studies.experiment import Arms, Claim, ClaimVerdict, decide
from undertow.trace import readings

VANISHED_BELOW = -2.0  # dex: layer 1 gets less than a hundredth of what the last hidden layer gets


def _judge(arms: Arms) -> ClaimVerdict:
    holds, words = [], []
    for name in ("sigmoid", "tanh"):
        totals = readings.total_dex(arms[name])
        vanished = totals < VANISHED_BELOW
        holds.append(mostly(vanished))
        words.append(
            f"{name} {dex(totals)} over {readings.transitions(arms[name])} transitions, below "
            f"{VANISHED_BELOW:g} dex in {count(vanished)} networks"
        )
    start = arms["sigmoid"].attributes["network"]["initialisation"]
    return decide(
        holds, f"Median |delta_1| / |delta_L| at step 1 with {start}: {'; '.join(words)}."
    )


CLAIM = Claim(4, "Gradients vanish with sigmoid or tanh.", ("sigmoid", "tanh"), _judge)
