"""Claim 14: the gradient diminishes exponentially on its way back."""

from __future__ import annotations

import numpy as np

from undertow.lab import readings
from undertow.lab.claims.words import beats, dex, median
from undertow.lab.experiment import Arms, Claim, Verdict, decide


def _judge(arms: Arms) -> Verdict:
    holds, words = [], []
    for name in ("sigmoid", "tanh"):
        deltas = readings.hidden(arms[f"{name}-20"], "delta_norm")[:, 0]
        layers = np.arange(1.0, deltas.shape[1] + 1)
        straight = misfit(layers, deltas)
        power = misfit(np.log10(layers), deltas)
        holds.append(beats(power, straight))
        words.append(
            f"{name} {dex(readings.total_dex(arms[f'{name}-20']))}: an exponential leaves "
            f"{median(straight)} dex unexplained, a power of the layer's number {median(power)}"
        )
    return decide(
        holds,
        f"Log10 |delta| of {deltas.shape[1]} layers at step 1, fitted in each network: "
        f"{'; '.join(words)}.",
    )


def misfit(x: np.ndarray, norms: np.ndarray) -> np.ndarray:
    """Root mean square, in dex, of what a line in x leaves of log10 norms [R, layers].

    >>> misfit(np.arange(4.0), 10.0 ** np.array([[1.0, 2.0, 3.0, 4.0]])).round(6)
    array([0.])
    """
    logs = np.log10(norms)
    design = np.stack([x, np.ones_like(x)], 1)
    left = logs.T - design @ np.linalg.lstsq(design, logs.T, rcond=None)[0]
    return np.sqrt((left**2).mean(0))


CLAIM = Claim(
    14,
    "The gradient diminishes exponentially as it goes back through sigmoid or tanh layers.",
    ("sigmoid-20", "tanh-20"),
    _judge,
)
