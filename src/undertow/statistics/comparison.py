"""Is one arm better than another, and does that survive asking about several?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from undertow.errors import SpecError
from undertow.numerals import counted
from undertow.statistics.improvement import probability_of_improvement
from undertow.statistics.intervals import Interval, t_interval, welch_interval
from undertow.statistics.permutation import shuffle_p, sign_flip_p, smallest_p
from undertow.statistics.values import mean_of, row

SIGNIFICANT = 0.05


class Comparison(NamedTuple):
    """What `compare` found; what is not defined is None, and `note` says why ("" if all is).

    >>> found = compare([0.9, 0.8, 0.9], [0.5, 0.6, 0.5])
    >>> round(found.difference, 3), found.p_value
    (0.333, None)
    >>> found.note
    '3 seeds can never reach p < .05 (the smallest possible is .25): no test'
    """

    difference: float | None
    ci95: Interval | None
    p_value: float | None
    probability_of_improvement: float | None
    probability_interval: Interval | None
    note: str


def compare(arm: ArrayLike, baseline: ArrayLike, paired: bool = True) -> Comparison:
    """Compare two arms: by how much is `arm` above `baseline`, how surely, how often.

    >>> found = compare([0.9, 0.8, 0.9, 0.9, 0.8, 0.9], [0.5, 0.5, 0.6, 0.5, 0.5, 0.5])
    >>> round(found.difference, 3), found.p_value, found.probability_of_improvement
    (0.35, 0.03125, 1.0)
    >>> compare([0.9, 0.8], [0.5, 0.6]).note
    '2 seeds can never reach p < .05 (the smallest possible is .5): no test'

    The interval trusts that differences are about normal. Where a fifth of them are stuck it
    covers .67 (5 seeds), .89 (10) and .92 (20) of the time instead of .95: with few seeds and
    stuck replicates read the stuck counts first. Claim a difference only where interval and
    p-value agree.

    Parameters
    ----------
    arm, baseline : array [R]
        One number a replicate, the same seed at the same place.
    paired : bool
        False compares the arms as wholes, as do arms of unequal length.

    Returns
    -------
    Comparison
        Paired: mean difference, Student's interval, exact sign-flip p. Unpaired: Welch's interval
        and the p of shuffled labels. Either way P(arm > baseline) with Newcombe's interval.
    """
    arm, baseline = row(arm), row(baseline)
    notes = []
    if not (len(arm) and len(baseline)):
        return Comparison(None, None, None, None, None, "an arm without replicates: no comparison")
    lost = int((~np.isfinite(arm)).sum() + (~np.isfinite(baseline)).sum())
    if lost:
        total = len(arm) + len(baseline)
        note = f"{lost} of {total} values {_are(lost)} not finite: no comparison"
        return Comparison(None, None, None, None, None, note)
    if paired and len(arm) != len(baseline):
        paired = False
        notes.append(f"{len(arm)} against {len(baseline)} seeds: compared unpaired")
    if paired:
        differences = arm - baseline
        difference, interval = mean_of(differences), t_interval(differences)
        seeds, smallest = counted(len(arm), "seed"), smallest_p(len(arm))
    else:
        difference, interval = mean_of(arm) - mean_of(baseline), welch_interval(arm, baseline)
        seeds = f"{len(arm)} against {len(baseline)} seeds"
        smallest = smallest_p(len(arm), len(baseline))
    p_value = None
    if smallest < SIGNIFICANT:
        p_value = sign_flip_p(arm - baseline) if paired else shuffle_p(arm, baseline)
    else:
        notes.append(
            f"{seeds} can never reach p < .05 "
            f"(the smallest possible is {f'{smallest:.3g}'.removeprefix('0')}): no test"
        )
    improvement = probability_of_improvement(arm, baseline)
    assert improvement is not None
    return Comparison(difference, interval, p_value, *improvement, "; ".join(notes))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust several p-values so that all claims under .05 together err at most 5 % of the time.

    >>> holm([0.01, None, 0.04, 0.03])
    [0.03, None, 0.06, 0.06]

    None, a test that was not made, stays None and does not count.

    Raises
    ------
    SpecError
        A p-value that is not between 0 and 1.

    References
    ----------
    Holm 1979, https://www.jstor.org/stable/4615733
    """
    made = [(p, place) for place, p in enumerate(p_values) if p is not None]
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(sorted(made)):
        if not 0 <= p <= 1:
            raise SpecError(f"p-value {p}: it must lie between 0 and 1, or be None for no test")
        highest = max(highest, min(1.0, (len(made) - rank) * float(p)))
        adjusted[place] = highest
    return adjusted


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
