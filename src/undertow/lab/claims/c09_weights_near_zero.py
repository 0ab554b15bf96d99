"""Claim 9: where gradients vanish, weights concentrate around zero."""

from __future__ import annotations

import numpy as np

from undertow.lab import readings
from undertow.lab.claims.words import mostly
from undertow.lab.experiment import Arms, Claim, Verdict, decide

SHRUNK_BELOW = 0.9  # of their norm at the start


def _judge(arms: Arms) -> Verdict:
    norms = readings.hidden(arms["baseline"], "weight_norm")
    share = norms[:, -1] / norms[:, 0]
    shrunk = share.mean(1) < SHRUNK_BELOW
    low, high = share.min(), share.max()
    return decide(
        [mostly(shrunk)],
        f"From the first step to the last, the norm of a hidden layer's weights in the baseline "
        f"goes to {np.median(share):.4f} times what it was ({low:.4f} to {high:.4f} over layers "
        "and networks): weights are as far from zero as they were drawn.",
    )


CLAIM = Claim(9, "Weight values tend to concentrate around zero.", ("baseline",), _judge)
