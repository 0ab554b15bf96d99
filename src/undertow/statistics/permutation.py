"""p-values by relabelling: exact where all labellings can be walked, sampled beyond.

Both tests are two-sided, for a difference of means. A labelling as extreme as the one that came
counts, up to rounding: accuracies are fractions k/n, so ties are the rule.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import numpy as np
from numpy.typing import ArrayLike

from undertow.errors import SpecError
from undertow.statistics.values import row, usable

SAMPLED = 99_999
BLOCK = 10_000
EXACT_PAIRS = 20
EXACT_SPLITS = 200_000
ROUNDING = 1e-9


def sign_flip_p(differences: ArrayLike) -> float | None:
    """p-value of paired differences: had each seed's sign been tossed, how often so far from 0?

    >>> sign_flip_p([0.1, 0.2, 0.1, 0.3, 0.1, 0.2])
    0.03125

    Exact up to 20 pairs: all 2^n sign patterns. Beyond, 99,999 patterns drawn with a fixed seed,
    and the one that came counts too, so that the smallest p is 1e-5 (Phipson 2010,
    doi:10.2202/1544-6115.1585). Neither the order nor the sign of all changes it.

    Returns
    -------
    float or None
        None for no differences, or any that is not finite.

    References
    ----------
    Fisher 1935, The Design of Experiments, section 21
    """
    differences = row(differences)
    if not usable(differences):
        return None
    sizes = np.sort(np.abs(differences))
    reached = abs(differences.sum()) - ROUNDING * sizes.sum()
    if len(sizes) > EXACT_PAIRS:
        random = np.random.default_rng(0)
        return _sampled_p(lambda count: _tossed_sums(random, sizes, count), reached)
    # The first sign stays +: turning all signs over turns only the sum's sign.
    sums = sizes[:1]
    for size in sizes[1:]:
        sums = np.concatenate([sums + size, sums - size])
    return float((np.abs(sums) >= reached).mean())


def shuffle_p(x: ArrayLike, y: ArrayLike) -> float | None:
    """p-value of two arms without pairs: had the labels been shuffled, how often so far apart?

    >>> shuffle_p([0.9, 0.8, 0.9, 0.7], [0.5, 0.6, 0.5, 0.4])
    0.02857142857142857

    Exact up to 200,000 splits (10 against 10), beyond 99,999 shuffles with a fixed seed. It asks
    whether the arms are alike in every way; with unequal counts a difference in spread alone can
    make it small.

    Returns
    -------
    float or None
        None where either arm is empty or has a value that is not finite.
    """
    fewer, more = sorted((row(x), row(y)), key=len)
    if not usable(fewer, more):
        return None
    pooled = np.sort(np.concatenate([fewer, more]))
    # With the mean of all at 0, one arm's sum says how far apart both means are.
    centre = pooled.mean()
    pooled -= centre
    reached = abs((fewer - centre).sum()) - ROUNDING * np.abs(pooled).sum()
    if comb(len(pooled), len(fewer)) <= EXACT_SPLITS:
        return float((np.abs(_subset_sums(pooled, len(fewer))) >= reached).mean())
    random = np.random.default_rng(0)
    return _sampled_p(lambda count: _drawn_sums(random, pooled, len(fewer), count), reached)


def smallest_p(n: int, other: int | None = None) -> float:
    """Smallest two-sided p that n pairs can reach, or n replicates against `other` unpaired.

    >>> smallest_p(5), smallest_p(6)
    (0.0625, 0.03125)
    >>> smallest_p(3, 3)
    0.1

    Raises
    ------
    SpecError
        A count under 1.
    """
    if n < 1 or (other is not None and other < 1):
        against = "" if other is None else f" against {other}"
        raise SpecError(f"{n}{against} replicates: give 1 or more")
    if other is None:
        return 2.0 ** (1 - n)
    splits = comb(n + other, n)
    # Equal arms can be exchanged whole; of unequal ones the far split may have no mirror image.
    return (2 if n == other else 1) / splits


def _sampled_p(draw_sums: Callable[[int], np.ndarray], reached: float) -> float:
    beyond = 0
    for start in range(0, SAMPLED, BLOCK):
        sums = draw_sums(min(BLOCK, SAMPLED - start))
        beyond += int((np.abs(sums) >= reached).sum())
    return (1 + beyond) / (1 + SAMPLED)


def _tossed_sums(random: np.random.Generator, sizes: np.ndarray, count: int) -> np.ndarray:
    heads = random.integers(0, 2, size=(count, len(sizes)), dtype=np.int8)
    return (2 * heads - 1) @ sizes


def _drawn_sums(
    random: np.random.Generator, pooled: np.ndarray, size: int, count: int
) -> np.ndarray:
    return random.permuted(np.tile(pooled, (count, 1)), axis=1)[:, :size].sum(axis=1)


def _subset_sums(values: np.ndarray, size: int) -> np.ndarray:
    sums = [np.zeros(1), *(np.empty(0) for _ in range(size))]
    for value in values:
        for chosen in range(size, 0, -1):
            sums[chosen] = np.concatenate([sums[chosen], sums[chosen - 1] + value])
    return sums[size]
