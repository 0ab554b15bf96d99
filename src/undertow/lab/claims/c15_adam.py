"""Claim 15: Adam converges better."""

from __future__ import annotations

import numpy as np

from undertow.lab import readings
from undertow.lab.claims.words import beats, chance, count
from undertow.lab.experiment import Arms, Claim, Verdict, decide


def _judge(arms: Arms) -> Verdict:
    sgd, adam = arms["baseline"], arms["adam-only"]
    accuracies = [readings.test_accuracy(trace) for trace in (adam, sgd)]
    words = [
        f"{name} {np.median(readings.test_accuracy(trace)):.4f} "
        f"({count(readings.is_stuck(trace))} stuck)"
        for name, trace in (("SGD", sgd), ("Adam", adam))
    ]
    first = [readings.total_dex(trace) for trace in (adam, sgd)]
    same = np.allclose(*first, rtol=1e-3)
    return decide(
        [beats(*accuracies)],
        f"The same networks, only the optimizer changed: median test accuracy {', '.join(words)}; "
        f"P(Adam > SGD) = {chance(*accuracies)}."
        + " The gradients of the first step are the same: Adam cures the step, not the gradient."
        * same,
    )


CLAIM = Claim(15, "Adam gives better convergence.", ("baseline", "adam-only"), _judge)
