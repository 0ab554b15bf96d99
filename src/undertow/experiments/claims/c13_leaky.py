"""Claim 13: leaky ReLU prevents dying ReLU."""

from __future__ import annotations

import numpy as np

from undertow.experiments.claims.wording import beats, count
from undertow.studies.experiment import Arms, Claim, ClaimVerdict, decide
from undertow.trace import readings


def _judge(arms: Arms) -> ClaimVerdict:
    words, holds, stuck = [], [], []
    for step, suffix in (("good", ""), ("too large", "-large-step")):
        plain, leaky = arms["relu" + suffix], arms["leaky-relu" + suffix]
        dead = [readings.dead_units(trace) for trace in (plain, leaky)]
        stuck = [readings.is_stuck(trace) for trace in (plain, leaky)]
        holds.append(beats(dead[0], dead[1]))
        words.append(
            f"{step} step ({readings.learning_rate(plain):g}): dead units ReLU "
            f"{100 * np.mean(dead[0]):.0f} %, leaky {100 * np.mean(dead[1]):.0f} %; stuck "
            f"{count(stuck[0])} and {count(stuck[1])}"
        )
    holds.append(beats(*(1.0 * flags for flags in stuck)))  # at the too large step
    return decide(holds, f"At the end of training, {'. At a '.join(words)}.")


CLAIM = Claim(
    13,
    "Leaky ReLU prevents dying ReLU.",
    ("relu", "leaky-relu", "relu-large-step", "leaky-relu-large-step"),
    _judge,
)
