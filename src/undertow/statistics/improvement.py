"""How probably one arm beats another, and how many replicates it takes to say so."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from numpy.typing import ArrayLike
from scipy import special

from undertow.errors import SpecError
from undertow.statistics.intervals import CONFIDENCE, Interval
from undertow.statistics.values import checked_level, row, two_sided_z, usable


class Improvement(NamedTuple):
    """P(X > Y) + P(tie) / 2 and its interval."""

    probability: float
    interval: Interval


def probability_of_improvement(
    x: ArrayLike, y: ArrayLike, level: float = CONFIDENCE
) -> Improvement | None:
    """Probability that a fresh replicate of x is above a fresh one of y, a tie counting half.

    >>> probability_of_improvement([0.9, 0.8, 0.5], [0.5, 0.5]).probability
    0.8333333333333333

    Every x is set against every y: it is Mann-Whitney's U / (n_x n_y), and pairing by seed does
    not enter. Call it meaningful above 0.75 with an interval above 0.5 (Bouthillier 2021,
    arXiv:2103.03098).

    Returns
    -------
    Improvement or None
        None where either arm is empty or has a value that is not finite.
    """
    x, y, level = row(x), row(y), checked_level(level)
    if not usable(x, y):
        return None
    above, tied = x[:, None] > y, x[:, None] == y
    probability = float(above.mean() + tied.mean() / 2)
    return Improvement(probability, improvement_interval(probability, len(x), len(y), level))


def improvement_interval(
    probability: float, x_count: int, y_count: int, level: float = CONFIDENCE
) -> Interval:
    """Newcombe's score interval of a probability of improvement, his method 5.

    >>> low, high = improvement_interval(1.0, 10, 10)
    >>> round(low, 2), high
    (0.8, 1.0)

    A bootstrap gives (1, 1) when every x is above every y, as a cure often has it; this does not.
    Measured with 5, 10 and 20 replicates an arm, normal and bimodal with ties: 95 % promised are
    .94 to .97.

    Parameters
    ----------
    probability : float
        P(X > Y) + P(tie) / 2 as measured.
    x_count, y_count : int
        Replicates of either arm, 1 or more.

    Raises
    ------
    SpecError
        A probability outside 0 to 1, or an empty arm.

    References
    ----------
    Newcombe 2006, doi:10.1002/sim.2324
    """
    if not (0 <= probability <= 1 and min(x_count, y_count) >= 1):
        raise SpecError(
            f"probability {probability} of {x_count} against {y_count} replicates: "
            "it must lie between 0 and 1, with 1 replicate or more on either side"
        )
    counts_and_z = (x_count, y_count, two_sided_z(level))
    return Interval(
        _lower_end(probability, *counts_and_z), 1 - _lower_end(1 - probability, *counts_and_z)
    )


def required_replicates(
    probability: float = 0.75, false_alarm: float = 0.05, power: float = 0.95
) -> int:
    """Replicates an arm to show a probability of improvement, one-sided, no ties.

    >>> required_replicates(0.75), required_replicates(0.9)
    (29, 12)

    Raises
    ------
    SpecError
        A probability outside 0 to 1 or equal to 0.5, a false alarm rate or a power outside 0 to 1.

    References
    ----------
    Noether 1987, doi:10.1080/01621459.1987.10478478
    """
    if not (0 <= probability <= 1 and probability != 0.5):
        raise SpecError(
            f"probability = {probability}: it must lie between 0 and 1 and not at 0.5, "
            "for example 0.75"
        )
    if not (0 < false_alarm < 1 and 0 < power < 1):
        raise SpecError(
            f"false_alarm = {false_alarm}, power = {power}: both must lie between 0 and 1, "
            "for example 0.05 and 0.95"
        )
    z = float(special.ndtri(1 - false_alarm) + special.ndtri(power))
    return ceil(z**2 / (6 * (probability - 0.5) ** 2))


def _lower_end(measured: float, x_count: int, y_count: int, z: float) -> float:
    if measured == 0:
        return 0.0
    # Bisect for measured - p = z sd(p): too far apart at p = 0, too near at p = measured.
    low, high = 0.0, measured
    for _ in range(60):
        p = (low + high) / 2
        if (measured - p) ** 2 > z**2 * _variance(p, x_count, y_count):
            low = p
        else:
            high = p
    return low


def _variance(p: float, x_count: int, y_count: int) -> float:
    spare = (x_count + y_count) / 2 - 1
    return p * (1 - p) * (1 + spare * ((1 - p) / (2 - p) + p / (1 + p))) / (x_count * y_count)
