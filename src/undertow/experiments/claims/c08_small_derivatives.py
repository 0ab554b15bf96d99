"""Claim 8: ReLU does not cause small derivatives."""

from __future__ import annotations

import numpy as np

from undertow.experiments.claims.wording import dex, mostly
from undertow.studies.experiment import Arms, Claim, ClaimVerdict, decide
from undertow.trace import readings

NEEDLESS = 0.05  # a smaller share of derivatives at 0 would bear the claim out


def _judge(arms: Arms) -> ClaimVerdict:
    # A slope under 5 % of the largest is, for ReLU, a slope of 0.
    zero = readings.hidden(arms["relu"], "saturated_fraction")[:, 0].mean(1)
    slopes = readings.hidden(arms["relu"], "slope_rms")[:, 0, 1:]
    with np.errstate(divide="ignore"):
        lost = np.log10(slopes).sum(1)
    many = mostly(zero > NEEDLESS)
    return decide(
        [None if many is None else not many],
        f"At step 1 {100 * np.median(zero):.0f} % of ReLU's derivatives are 0, the others 1. Over "
        f"{readings.transitions(arms['relu'])} transitions the zeros cost {dex(lost)}.",
    )


CLAIM = Claim(8, "ReLU does not cause small derivatives.", ("relu",), _judge)
