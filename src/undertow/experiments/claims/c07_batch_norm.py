"""Claim 7: batch normalisation reduces the problem."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np

from undertow.experiments.claims.wording import beats, dex
from undertow.studies.experiment import Arms, Claim, ClaimVerdict, decide
from undertow.trace import readings

# What a ReLU layer behind batch normalisation multiplies the gradient by, for a large batch and a
# wide layer (Yang et al. 2019, arXiv:1902.08129).
RELU_GROWTH = sqrt(pi / (pi - 1))


def claim(*pairs: tuple[str, str, str], growth_of: str | None = None) -> Claim:
    """Return the claim, decided by (name, arm without, arm with); `growth_of` is a ReLU arm."""

    def judged(arms: Arms) -> ClaimVerdict:
        holds, words = [], []
        for name, without, with_ in pairs:
            totals = [readings.total_dex(arms[arm]) for arm in (without, with_)]
            holds.append(beats(np.abs(totals[0]), np.abs(totals[1])))
            words.append(f"{name} {dex(totals[0])} without, {dex(totals[1])} with")
        growth = ""
        if growth_of is not None:
            crossed = readings.transitions(arms[growth_of])
            measured = 10 ** float(np.median(readings.total_dex(arms[growth_of])) / crossed)
            growth = (
                f" In {growth_of} the gradient is multiplied by {measured:.3f} a layer; theory "
                f"says {RELU_GROWTH:.3f}."
            )
        return decide(holds, f"Median |delta_1| / |delta_L| at step 1: {'; '.join(words)}.{growth}")

    needs = tuple(dict.fromkeys(arm for _, *both in pairs for arm in both))
    return Claim(7, "Batch normalisation reduces the problem.", needs, judged)
