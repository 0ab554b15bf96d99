"""Claim 14: the gradient diminishes exponentially on its way back."""

from __future__ import annotations

import numpy as np

from undertow.experiments.claims.wording import beats, dex, median, mostly
from undertow.studies.experiment import Arms, Claim, ClaimVerdict, decide
from undertow.trace import readings


def _judge(arms: Arms) -> ClaimVerdict:
    holds, words = [], []
    for name in ("sigmoid", "tanh"):
        deltas = readings.hidden(arms[f"{name}-20"], "delta_norm")[:, 0]
        layers = np.arange(1.0, deltas.shape[1] + 1)
        straight = misfit(layers, deltas)
        power = misfit(np.log10(layers), deltas)
        holds.append(
            _both(mostly(readings.total_dex(arms[f"{name}-20"]) < 0), beats(power, straight))
        )
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
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log10(norms.astype(np.float64))
        centred, place = logs - logs.mean(1, keepdims=True), x - x.mean()
        left = centred - np.outer(centred @ place / (place @ place), place)
        return np.sqrt((left**2).mean(1))


def _both(*holds: bool | None) -> bool | None:
    return False if False in holds else None if None in holds else True


CLAIM = Claim(
    14,
    "The gradient diminishes exponentially as it goes back through sigmoid or tanh layers.",
    ("sigmoid-20", "tanh-20"),
    _judge,
)
