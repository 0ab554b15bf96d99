"""Claim 15: Adam converges better."""

from __future__ import annotations

import numpy as np

from undertow.experiments.claims.wording import beats, chance, count
from undertow.studies.experiment import Arms, Claim, ClaimVerdict, decide
from undertow.trace import readings


def _judge(arms: Arms) -> ClaimVerdict:
    sgd, adam = arms["baseline"], arms["adam-only"]
    accuracies = [readings.test_accuracy(trace) for trace in (adam, sgd)]
    better = beats(*accuracies)
    words = [
        f"{name} at rate {readings.learning_rate(trace):g} "
        f"{np.median(readings.test_accuracy(trace)):.4f} ({count(readings.is_stuck(trace))} stuck)"
        for name, trace in (("SGD", sgd), ("Adam", adam))
    ]
    first = [readings.first_step(trace, "grad_norm") for trace in (adam, sgd)]
    same = " The gradients of the first step are the same" * np.allclose(*first, rtol=1e-3)
    cures = ": Adam cures the step, not the gradient" * bool(same and better)
    return decide(
        [better],
        f"The same networks, only the optimizer and its rate changed: median test accuracy "
        f"{', '.join(words)}; P(Adam > SGD) = {chance(*accuracies)}.{same}{cures}"
        + "."
        * bool(same),
    )


CLAIM = Claim(15, "Adam gives better convergence.", ("baseline", "adam-only"), _judge)
