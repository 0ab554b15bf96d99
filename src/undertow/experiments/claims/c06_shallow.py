"""Claim 6: shallow networks are less prone to vanishing gradients."""

from __future__ import annotations

import numpy as np

from undertow.experiments.claims.wording import beats, count, dex
from undertow.studies.experiment import Arms, Claim, ClaimVerdict, decide
from undertow.trace import readings
from undertow.trace.record import Trace

ALIKE_WITHIN = 0.1  # dex a layer


def claim(deep: str, shallow: str) -> Claim:
    """Return the claim, decided by two arms that differ in depth alone."""

    def judged(arms: Arms) -> ClaimVerdict:
        return _judge(arms[deep], arms[shallow])

    return Claim(
        6, "Shallow networks are less prone to vanishing gradients.", (deep, shallow), judged
    )


def _judge(deep: Trace, shallow: Trace) -> ClaimVerdict:
    totals = {"deep": readings.total_dex(deep), "shallow": readings.total_dex(shallow)}
    crossed = {"deep": readings.transitions(deep), "shallow": readings.transitions(shallow)}
    words = [
        f"{crossed[name] + 1} hidden layers {dex(total)} ({dex(total / crossed[name])} a layer, "
        f"{count(readings.is_stuck(trace))} stuck)"
        for (name, total), trace in zip(totals.items(), (deep, shallow), strict=True)
    ]
    a_layer = [float(np.median(totals[name] / crossed[name])) for name in totals]
    alike = abs(a_layer[0] - a_layer[1]) < ALIKE_WITHIN
    return decide(
        [beats(totals["shallow"], totals["deep"])],
        f"Median |delta_1| / |delta_L| at step 1: {'; '.join(words)}."
        + " What a layer loses is alike; depth multiplies it." * alike,
    )
