"""Claim 9: where gradients vanish, weights concentrate around zero."""

from __future__ import annotations

import numpy as np

from undertow.experiments.claims.wording import mostly
from undertow.studies.experiment import Arms, Claim, ClaimVerdict, decide
from undertow.trace import readings

SHRUNK_BELOW = 0.9  # of their norm at the start


def _judge(arms: Arms) -> ClaimVerdict:
    norms = readings.hidden(arms["baseline"], "weight_norm")
    share = norms[:, -1] / norms[:, 0]
    shrunk = share.mean(1) < SHRUNK_BELOW
    low, middle, high = share.min(), np.median(share), share.max()
    return decide(
        [mostly(shrunk)],
        f"From the first step to the last, the norm of a hidden layer's weights in the baseline "
        f"goes to {middle:.4f} times what it was ({low:.4f} to {high:.4f} over layers and "
        f"networks): {_words(float(middle))}.",
    )


def _words(share: float) -> str:
    if abs(share - 1) < 0.01:
        return "weights lie as far from zero as they were drawn"
    return "weights have moved towards zero" if share < 1 else "weights have moved away from zero"


CLAIM = Claim(9, "Weight values tend to concentrate around zero.", ("baseline",), _judge)
