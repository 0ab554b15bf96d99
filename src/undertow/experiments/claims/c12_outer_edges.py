"""Claim 12: the input reaches the sigmoid's outer edges, and batch normalisation prevents it."""

from __future__ import annotations

import numpy as np

from undertow.numerals import grouped
from undertow.studies.experiment import Arms, Claim, ClaimVerdict, decide
from undertow.trace import readings

CEILING = 0.25  # the sigmoid's largest slope
NEEDLESS = 0.05  # a smaller share at the edges explains nothing


def _judge(arms: Arms) -> ClaimVerdict:
    plain, normalised = arms["sigmoid"], arms["sigmoid-batch-norm"]
    at_edges = float(readings.hidden(plain, "saturated_fraction")[:, 0].mean())
    spreads = [
        float(np.median(readings.hidden(trace, "preactivation_rms")[:, 0]))
        for trace in (plain, normalised)
    ]
    slopes = readings.hidden(plain, "slope_rms")[:, 0, 1:]
    crossed = readings.transitions(plain)
    ceiling = crossed * np.log10(CEILING)
    bent = float(np.median(np.log10(slopes / CEILING).sum(1)))
    narrowed = spreads[1] < spreads[0]
    verb = "narrows the pre-activations" if narrowed else "widens the pre-activations"
    return decide(
        [at_edges > NEEDLESS and bent < ceiling, narrowed],
        f"At step 1 {100 * at_edges:.2g} % of the pre-activations lie where the slope is under 5 % "
        f"of its largest. Over {crossed} transitions the ceiling of 1/4 alone costs "
        f"{ceiling:+.2f} dex, and lying off the middle {bent:+.2f} dex more. Batch normalisation "
        f"{verb}: RMS {grouped(spreads[0])} without, {grouped(spreads[1])} with.",
    )


CLAIM = Claim(
    12,
    "The input reaches the outer edges of the sigmoid, where the slope is small; batch "
    "normalisation keeps it in the middle.",
    ("sigmoid", "sigmoid-batch-norm"),
    _judge,
)
