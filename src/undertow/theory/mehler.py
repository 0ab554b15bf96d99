"""The Mehler series of a pair average, with an exact bound on what it leaves out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from undertow.theory.activations import Activation
from undertow.theory.closed_forms import two_slopes_kernel
from undertow.theory.moments import nodes

Array = NDArray[np.float64]

TERMS = 200
PLENTY = 1e-9


class Series(NamedTuple):
    """Sums over k of a_k(q_a) a_k(q_b) c^k, for phi and for phi', and their relative error."""

    value: Array
    slope: Array
    error: Array


def series(phi: Activation, q: Array, first: Array, second: Array, c: Array) -> Series:
    """Sum the series for pairs (q[first], q[second]) of correlation c, arrays [P].

    >>> from undertow.theory.activations import find
    >>> one = np.zeros(1, dtype=int)
    >>> found = series(find("sigmoid"), np.array([1.0]), one, one, np.array([0.5]))
    >>> found.value.round(8), bool(found.error[0] < 1e-8)
    (array([0.27121872]), True)

    Notes
    -----
    By Parseval the coefficients beyond K terms have energy T = E f^2 - sum a_k^2, and by
    Cauchy-Schwarz the rest of the sum is at most |c|^K sqrt(T_a T_b), for even and odd k apart.

    Where phi' jumps by J, its a_k fall only as k^(-3/4). Write phi = J relu + psi: J^2 times
    ReLU's pair average is known, and what is left for the series falls much faster, because the
    step in phi' has odd terms alone and the bend that remains in psi' mostly even ones. For large
    variances the rise of phi' from end to end serves as J, too. Of the three (0 among them) the
    one with the least bound is taken.
    """
    basis = _Basis(q, phi.kinks)
    z = np.sqrt(np.maximum(q, 1e-300))[:, None] * basis.x
    root = np.sqrt(q)
    relu, step = two_slopes_kernel(root[first] ** 2, root[second] ** 2, c, 0.0)
    ends, jumps = phi.slope(np.array([-1e4, -1e-9, 1e-9, 1e4])), [0.0]
    if 0.0 in phi.kinks:
        jumps.append(float(ends[2] - ends[1]))
    jumps.append(float(ends[3] - ends[0]))
    value, value_error = _summed(
        basis.expand(phi.value(z), np.maximum(basis.x, 0.0) * root[:, None]),
        jumps, relu, first, second, c,
    )
    slope, slope_error = _summed(
        basis.expand(phi.slope(z), np.broadcast_to(basis.x > 0, z.shape).astype(np.float64)),
        jumps, step, first, second, c,
    )
    return Series(value, slope, np.maximum(value_error, slope_error))


class _Expansion(NamedTuple):
    """Hermite coefficients [K, Q] of a function f and of the reference r (ReLU or the step), and
    E f^2, E f r, E r^2 of their even and odd halves, [2, Q]."""

    f: Array
    r: Array
    ff: Array
    fr: Array
    rr: Array


class _Basis:
    """Nodes, weights and normalised Hermite polynomials; one set, or one for each variance."""

    def __init__(self, q: Array, kinks: tuple[float, ...]):
        mirrored = tuple({kink for k in kinks if k for kink in (k, -k)})
        # 0 is always an edge of a panel. Nodes for the largest variance serve the smaller ones.
        self.common = not mirrored
        self.x, self.weight = nodes(np.max(q) if self.common else q, mirrored)

    def expand(self, f: Array, r: Array) -> _Expansion:
        both = np.concatenate([f, r]) * self.weight if self.common else None
        mirror_f, mirror_r = f[:, ::-1], r[:, ::-1]
        halves_f = np.stack([0.5 * (f + mirror_f), 0.5 * (f - mirror_f)])
        halves_r = np.stack([0.5 * (r + mirror_r), 0.5 * (r - mirror_r)])
        coefficients = np.empty((TERMS, 2 * len(f)))
        before, now = np.zeros_like(self.x), np.ones_like(self.x)
        for k in range(TERMS):
            if both is not None:
                coefficients[k] = both @ now
            else:
                coefficients[k] = np.concatenate(
                    [np.einsum("qm,qm->q", part, now * self.weight) for part in (f, r)]
                )
            before, now = now, (self.x * now - np.sqrt(k) * before) / np.sqrt(k + 1.0)
        return _Expansion(
            coefficients[:, : len(f)],
            coefficients[:, len(f) :],
            np.sum(halves_f**2 * self.weight, axis=-1),
            np.sum(halves_f * halves_r * self.weight, axis=-1),
            np.sum(halves_r**2 * self.weight, axis=-1),
        )


def _tails(expansion: _Expansion, jump: float, terms: int) -> tuple[Array, Array]:
    """Energy beyond `terms` of f - jump r and of jump r, in even and odd terms, [2, Q]."""

    def left(energy: Array, one: Array, other: Array) -> Array:
        product = one[:terms] * other[:terms]
        return energy - np.stack([product[0::2].sum(axis=0), product[1::2].sum(axis=0)])

    ff = left(expansion.ff, expansion.f, expansion.f)
    fr = left(expansion.fr, expansion.f, expansion.r)
    rr = left(expansion.rr, expansion.r, expansion.r)
    noise = 1e-15 * (expansion.ff + jump**2 * expansion.rr)
    return np.maximum(ff - 2 * jump * fr + jump**2 * rr, noise), np.maximum(jump**2 * rr, 0.0)


def _summed(
    expansion: _Expansion,
    jumps: list[float],
    closed: Array,
    first: Array,
    second: Array,
    c: Array,
) -> tuple[Array, Array]:
    energy = np.maximum(expansion.ff.sum(axis=0), 1e-300)

    def worst(jump: float) -> float:
        rest, step = _tails(expansion, jump, TERMS)
        return float(np.max((rest + 2 * np.sqrt(rest * step)).sum(axis=0) / energy))

    jump = min(jumps, key=worst)
    scale = np.sqrt(energy[first] * energy[second])
    terms, error = 0, np.ones_like(c)
    while terms < TERMS and np.max(error) > PLENTY:
        terms += 25
        rest, step = (np.sqrt(part) for part in _tails(expansion, jump, terms))
        missing = (
            rest[:, first] * rest[:, second]
            + step[:, first] * rest[:, second]
            + rest[:, first] * step[:, second]
        ).sum(axis=0)
        error = np.abs(c) ** terms * missing / scale
    total = np.zeros_like(c)
    for k in reversed(range(terms)):
        f, r = expansion.f[k], jump * expansion.r[k]
        total = total * c + f[first] * f[second] - r[first] * r[second]
    return total + jump**2 * closed, error
