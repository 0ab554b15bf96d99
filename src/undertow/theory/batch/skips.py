"""Second moments of vectors that are sums of earlier ones: what skips add up, there and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Sums:
    """Vectors x_p = s y_p + sum of earlier x_q, over a batch; y_p is new at p.

    >>> sums = Sums(keep=(1,))
    >>> sums.add(1, np.eye(2), np.zeros(2))
    array([[1., 0.],
           [0., 1.]])
    >>> sums.add(3, np.eye(2), np.zeros(2), of=(1,), scale=2.0)
    array([[5., 0.],
           [0., 5.]])

    `keep` names the places that are added later, once for each time; after the last they are
    forgotten, so that a chain of skips keeps no account of every pair. Given what came before, the
    units of y_p are drawn anew and independent of every earlier x: they meet in their means only.
    So with
    C_pq = E x_p x_q and m_p = E x_p, both over a unit and a pair of samples,
    C_pq = s E y_p m_q + sum_r C_rq for q before p, and
    C_pp = s^2 E y_p y_p + s (E y_p sum_r m_r + its transpose) + sum_rt C_rt.
    Forwards y is an activation; backwards it is what arrives through fresh weights, of mean 0.
    """

    def __init__(self, keep: Sequence[int]) -> None:
        self._uses = Counter(keep)
        self._means: dict[int, Array] = {}
        self._cross: dict[tuple[int, int], Array] = {}

    def add(
        self, place: int, own: Array, mean: Array, of: Sequence[int] = (), scale: float = 1.0
    ) -> Array:
        """Return E x_p x_p, from E y y [B, B], E y [B], and the places that are added."""
        before = sum((self._means[each] for each in of), np.zeros_like(mean))
        mixed = scale * np.outer(mean, before)
        total = scale**2 * own + mixed + mixed.T
        for one in of:
            for other in of:
                total = total + self._between(one, other)
        self._uses.subtract(of)
        if self._uses[place] > 0:
            for other in self._means:
                if self._uses[other] > 0:
                    shared = [self._between(each, other) for each in of]
                    fresh = scale * np.outer(mean, self._means[other])
                    self._cross[place, other] = sum(shared, fresh)
            self._cross[place, place] = total
            self._means[place] = scale * mean + before
        for each in set(of):
            if self._uses[each] == 0:
                self._forget(each)
        return total

    def _between(self, one: int, other: int) -> Array:
        found = self._cross.get((one, other))
        return self._cross[other, one].T if found is None else found

    def _forget(self, place: int) -> None:
        del self._means[place]
        for pair in [pair for pair in self._cross if place in pair]:
            del self._cross[pair]
