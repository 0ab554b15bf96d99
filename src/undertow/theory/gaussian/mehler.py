"""The Mehler series of a pair average, with its tail completed and its error estimated."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from undertow.activations.activation import Activation
from undertow.theory.gaussian.closed_forms import two_slopes_kernel
from undertow.theory.gaussian.moments import REACH, gauss_legendre, nodes

Array = NDArray[np.float64]
Index = NDArray[np.intp]

PLENTY = 1e-10


class Series(NamedTuple):
    """Sums over k of a_k(q_a) a_k(q_b) c^k, for phi and for phi', and their relative error."""

    value: Array
    slope: Array
    error: Array


def series(
    phi: Activation, q: Array, first: Index, second: Index, c: Array, length: int = 256
) -> Series:
    """Sum `length` terms for pairs (q[first], q[second]) of correlation c, arrays [P].

    >>> from undertow.activations.activation import find
    >>> one = np.zeros(1, dtype=int)
    >>> found = series(find("sigmoid"), np.array([1.0]), one, one, np.array([0.5]))
    >>> found.value.round(8), bool(found.error[0] < 1e-12)
    (array([0.27142833]), True)

    Notes
    -----
    a_k(q) = E[f(sqrt(q) x) h_k(x)], h_k the normalised Hermite polynomials. Where phi' jumps its
    a_k^2 fall only as k^(-3/2), so the K terms at hand are not the whole. Three repairs:

    - J^2 times what ReLU's series leaves beyond K terms is added, J being the jump of phi' at 0 or,
      for large variances, the rise of phi' from end to end: ReLU's sum is known.
    - At c = 1 the sum is E f(sqrt(q_a) x) f(sqrt(q_b) x), an average over one normal. What still
      lacks there, T, is shared out over the terms beyond K as a power of k, with the power that
      the last quarter of the terms suggests; even and odd k apart, so c = -1 is exact as well.
    - The error is the difference to the same with K / 2 terms, or a Cauchy-Schwarz bound on what
      was shared out, times how far from certain the share is.
    """
    x, weight = _common_nodes(q, phi.kinks)
    z = np.sqrt(np.maximum(q, 1e-300))[:, None] * x
    ends = phi.slope(np.array([-1e4, -1e-9, 1e-9, 1e4]))
    jumps = [0.0, float(ends[2] - ends[1]), float(ends[3] - ends[0])]
    closed = two_slopes_kernel(np.ones_like(c), np.ones_like(c), c, 0.0)
    ramp, step = _relu_terms(length)
    value = _project(phi.value(z), np.maximum(x, 0.0), ramp, x, weight)
    slope = _project(phi.slope(z), (x > 0).astype(np.float64), step, x, weight)
    found = [
        _sum(value, closed[0], np.sqrt(q), jumps, first, second, c),
        _sum(slope, closed[1], np.ones_like(q), jumps, first, second, c),
    ]
    return Series(found[0][0], found[1][0], np.maximum(found[0][1], found[1][1]))


def _common_nodes(q: Array, kinks: tuple[float, ...]) -> tuple[Array, Array]:
    """Nodes and normal weights [M], symmetric about 0 and split at every kink of every variance."""
    away = np.array([near for kink in kinks if kink for near in (kink, -kink)])
    # 0 always is an edge of a panel, and nodes fit for the largest variance fit them all.
    if not away.size:
        return nodes(np.array(np.max(q)))
    bends = 4.0 ** np.arange(8)
    bends = np.concatenate([bends, -bends]) / math.sqrt(max(float(np.max(q)), 1e-300))
    met = np.concatenate([(away[:, None] / np.sqrt(np.maximum(q, 1e-300))).ravel(), bends])
    edges = np.union1d(np.linspace(-REACH, REACH, 41), met[np.abs(met) < REACH])
    node, weight = gauss_legendre(20)
    middle, half = 0.5 * (edges[1:] + edges[:-1])[:, None], 0.5 * np.diff(edges)[:, None]
    x = (middle + half * node).ravel()
    density = np.exp(-0.5 * x**2) / math.sqrt(2.0 * math.pi)
    return x, (half * weight).ravel() * density


class _Projection(NamedTuple):
    """What is known of a function f at each variance, and of r, which is ReLU or the step.

    Coefficients `f` [K, Q] and `r` [K]; averages E f(a) f(b) [2, Q, Q] and E f r [2, Q] of the
    even and the odd half of f.
    """

    f: Array
    r: Array
    ff: Array
    fr: Array

    def cut(self, count: int) -> _Projection:
        """What the first `count` coefficients leave of the averages; E r r is 1/4 a half."""
        parts = [(self.f[half:count:2], self.r[half:count:2]) for half in (0, 1)]
        return self._replace(
            r=np.array([0.25 - r @ r for _, r in parts]),
            ff=self.ff - np.stack([f.T @ f for f, _ in parts]),
            fr=self.fr - np.stack([f.T @ r for f, r in parts]),
        )


def _relu_terms(count: int) -> tuple[Array, Array]:
    """Hermite coefficients of ReLU and of the step, its slope."""
    at_zero = np.zeros(count + 1)
    at_zero[0] = 1.0
    for k in range(1, count):
        at_zero[k + 1] = -math.sqrt(k / (k + 1.0)) * at_zero[k - 1]
    k = np.arange(1, count)
    # The integral of h_k over x > 0 is h_(k-1)(0) / sqrt(2 pi k), and ReLU integrates the step.
    step = np.concatenate([[0.5], at_zero[: count - 1] / np.sqrt(2.0 * math.pi * k)])
    ramp = np.concatenate([[1.0 / math.sqrt(2.0 * math.pi)], step[:-1] / np.sqrt(k)])
    return ramp, step


def _project(f: Array, r: Array, r_terms: Array, x: Array, weight: Array) -> _Projection:
    """Project f [Q, M] on the Hermite polynomials, until nothing of note is left."""
    weighted = f * weight
    halves = np.stack([0.5 * (f + f[:, ::-1]), 0.5 * (f - f[:, ::-1])])
    ff = (halves * weight) @ np.swapaxes(halves, -1, -2)
    fr = np.sum(halves * (weight * r), axis=-1)
    energy = np.einsum("hqq->q", ff)
    table, terms = _hermite(x.tobytes(), len(r_terms)), np.empty((0, len(f)))
    for count in (32, 64, 128, len(table)):
        terms = np.concatenate([terms, table[len(terms) : count] @ weighted.T])
        if np.all(energy - np.sum(terms**2, axis=0) < PLENTY * energy):
            break
    return _Projection(terms, r_terms[: len(terms)], ff, fr)


@lru_cache(maxsize=2)
def _hermite(nodes_: bytes, length: int) -> Array:
    """Normalised Hermite polynomials h_k(x), [K, M]; most layers share one set of nodes."""
    x = np.frombuffer(nodes_)
    table = np.empty((length, x.size))
    table[0], table[1] = 1.0, x
    for k in range(1, length - 1):
        table[k + 1] = (x * table[k] - math.sqrt(k) * table[k - 1]) / math.sqrt(k + 1.0)
    return table


def _sum(
    whole: _Projection,
    closed: Array,
    scale: Array,
    jumps: list[float],
    first: Index,
    second: Index,
    c: Array,
) -> tuple[Array, Array]:
    length = len(whole.f)
    energy = np.maximum(np.einsum("hqq->q", whole.ff), 1e-300)
    left = whole.cut(length)
    jump = min(jumps, key=lambda jump: np.max(_bound(left, jump * scale).sum(axis=0) / energy))
    known = jump * scale
    near = _powers(whole, 0, length // 2, first, second, c)
    far = c ** (length // 2) * _powers(whole, length // 2, length, first, second, c)
    answers, doubt = [], np.zeros_like(c)
    for count, (ours, relu) in ((length // 2, near), (length, near + far)):
        left = whole.cut(count)
        answer = ours + known[first] * known[second] * (closed - relu)
        bound = np.sqrt(_bound(left, known))
        doubt = np.zeros_like(c)
        for half, sign in ((0, 1.0), (1, np.sign(c))):
            lack = left.ff[half] - left.r[half] * np.outer(known, known)
            share = _fading(c, _decay(whole, known, lack, half, count), count)
            answer = answer + sign * share * lack[first, second]
            doubt += share * (1.0 - share) * bound[half, first] * bound[half, second]
        answers.append(answer)
    error = np.maximum(np.abs(answers[1] - answers[0]), doubt)
    return answers[1], error / np.sqrt(energy[first] * energy[second])


def _powers(
    whole: _Projection, low: int, high: int, first: Index, second: Index, c: Array
) -> Array:
    """Sums of a_k a_k c^(k - low) and of r_k^2 c^(k - low), from low to high - 1, [2, P]."""
    ours, relu = np.zeros_like(c), np.zeros_like(c)
    for k in reversed(range(low, high)):
        ours = ours * c + whole.f[k][first] * whole.f[k][second]
        relu = relu * c + whole.r[k] ** 2
    return np.stack([ours, relu])


def _bound(left: _Projection, known: Array) -> Array:
    """Cauchy and Schwarz on what is left of f f - r r, with f = r + psi, [2, Q]."""
    relu = np.maximum(left.r[:, None] * known**2, 0.0)
    psi = np.maximum(np.einsum("hqq->hq", left.ff) - 2.0 * left.fr * known + relu, 0.0)
    return psi + 2.0 * np.sqrt(psi * relu)


def _decay(whole: _Projection, known: Array, lack: Array, half: int, count: int) -> float:
    """Where the terms beyond `count` fall as k^-p, p - 1: from their sum and from the last."""
    worst = int(np.argmax(np.abs(np.diagonal(lack))))
    start = 3 * count // 4
    start += (start + half) % 2
    last = whole.f[start:count:2, worst] ** 2 - (known[worst] * whole.r[start:count:2]) ** 2
    k = np.arange(start, count, 2)
    # The sum over every other k > K of A k^-p is A K^(1 - p) / 2 (p - 1).
    twice = 2.0 * float(lack[worst, worst])
    ratio = count * float(np.mean(last * (k / count) ** 2)) / twice if twice else 1.0
    return float(np.clip(ratio, 0.3, 50.0))


def _fading(c: Array, decay: float, count: int) -> Array:
    """Share of sum k^-p that is left in sum k^-p |c|^k, over k > count; 1 at c = 1."""
    x = -count * np.log(np.maximum(np.abs(c), 1e-300))
    grid = np.concatenate([[0.0], np.geomspace(1e-8, 60.0, 120)])
    node, weight = gauss_legendre(60)
    w = 0.5 * (node + 1.0)
    curve = np.exp(-np.outer(grid, w ** (-1.0 / decay))) @ (0.5 * weight)
    return np.where(x < 60.0, np.interp(np.log(x + 1e-9), np.log(grid + 1e-9), curve), 0.0)
