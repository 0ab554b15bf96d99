"""Claim 10: training the layers one after the other helps."""

from __future__ import annotations

import numpy as np

from undertow.experiments.claims.wording import beats
from undertow.numerals import grouped
from undertow.studies.experiment import Arms, Claim, ClaimVerdict, decide
from undertow.trace import readings

PUBLISHED = (0.6793, 0.5734, 0.4095, 0.4257)  # at the ends of the four stages, one network


def _judge(arms: Arms) -> ClaimVerdict:
    trace = arms["layer-wise"]
    ends = readings.stage_ends(trace, "test_accuracy")
    baseline = readings.test_accuracy(arms["baseline"])
    medians = " -> ".join(f"{np.median(end):.3f}" for end in ends)
    published = " -> ".join(f"{end:.4f}" for end in PUBLISHED)
    depths = [depth for depth, _ in trace.attributes["training"]["stages"]]
    return decide(
        [beats(ends[-1], baseline), beats(ends[-1], ends[0])],
        f"Median test accuracy at the ends of the stages of {', '.join(map(str, depths))} layers: "
        f"{medians} (published: {published}); the baseline reaches {grouped(np.median(baseline))} "
        f"in 1/{len(ends)} of the epochs. "
        "The claim has two halves: better than the baseline, and better than its own first stage.",
    )


CLAIM = Claim(
    10,
    "Training layers one after the other keeps deeper layers from making the gradients of earlier "
    "ones vanish.",
    ("baseline", "layer-wise"),
    _judge,
)
