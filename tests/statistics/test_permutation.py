# A None where a number is due fails the test by itself.
# pyright: reportOptionalOperand=false, reportOperatorIssue=false
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.errors import SpecError
from undertow.statistics import permutation
from undertow.statistics.permutation import shuffle_p, sign_flip_p, smallest_p

# Counts of right answers: every sum in the oracles is exact.
COUNTS = st.integers(-20, 20)


def flipped_by_hand(differences, beyond=lambda sum_, seen: abs(sum_) >= abs(seen)):
    sums = [
        sum(sign * size for sign, size in zip(signs, differences, strict=True))
        for signs in product((1, -1), repeat=len(differences))
    ]
    return np.mean([beyond(sum_, sum(differences)) for sum_ in sums])


def shuffled_by_hand(x, y):
    pooled, n = [*x, *y], len(x)

    def gap(chosen):
        inside = sum(pooled[place] for place in chosen)
        return abs(inside * len(y) - (sum(pooled) - inside) * n)

    seen = gap(range(n))
    return np.mean([gap(chosen) >= seen for chosen in combinations(range(len(pooled)), n)])


def test_signs_by_hand():
    assert sign_flip_p([1, 1, 1]) == 2 / 8
    # The sums of (1, 2, 3) are +-6, +-4, +-2, 0, 0; 4 or more in size: 4 of 8.
    assert sign_flip_p([-1, 2, 3]) == 4 / 8
    assert sign_flip_p([5]) == 1
    assert sign_flip_p([0, 0, 0]) == 1
    assert sign_flip_p([1, -1]) == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(COUNTS, min_size=1, max_size=9))
def test_signs_against_brute_force(differences):
    p = flipped_by_hand(differences)
    # As accuracies of 450 samples the same ties are off by roundings.
    accuracies = np.array(differences) / 450
    assert sign_flip_p(accuracies) == p
    assert sign_flip_p(-accuracies) == p
    assert sign_flip_p(accuracies[::-1] * 1e-200) == p
    assert p >= smallest_p(len(differences))


def test_the_oracle_tells_mistakes_apart():
    differences = [1, 2, 3, 3, -1, 2]
    p = sign_flip_p(differences)
    assert p == flipped_by_hand(differences)
    assert p != flipped_by_hand(differences, lambda sum_, seen: abs(sum_) > abs(seen))
    assert p != flipped_by_hand(differences, lambda sum_, seen: sum_ >= seen)
    assert shuffle_p([4, 3, 2], [1, 2]) != shuffled_by_hand([4, 3, 1], [2, 2])


@settings(max_examples=60, deadline=None)
@given(st.lists(COUNTS, min_size=1, max_size=6), st.lists(COUNTS, min_size=1, max_size=5))
def test_shuffles_against_brute_force(x, y):
    p = shuffled_by_hand(x, y)
    assert shuffle_p(np.array(x) / 450, np.array(y) / 450) == pytest.approx(p, rel=1e-12)
    assert shuffle_p(np.array(y) / 450 + 0.5, np.array(x) / 450 + 0.5) == pytest.approx(
        p, rel=1e-12
    )
    assert p >= smallest_p(len(x), len(y)) - 1e-12


def test_sampled_agrees_with_exact(monkeypatch):
    random = np.random.default_rng(0)
    x, y = random.normal(0.6, 1, size=10), random.normal(size=10)
    exact = sign_flip_p(x - y), shuffle_p(x, y)
    monkeypatch.setattr(permutation, "EXACT_PAIRS", 1)
    monkeypatch.setattr(permutation, "EXACT_SPLITS", 1)
    sampled = sign_flip_p(x - y), shuffle_p(x, y)
    for found, expected in zip(sampled, exact, strict=True):
        assert found != expected
        assert abs(found - expected) < 4 * np.sqrt(expected * (1 - expected) / 99_999)
    assert sampled == (sign_flip_p(y - x), shuffle_p(y, x))


def test_beyond_twenty_pairs_p_is_small_and_never_zero():
    assert sign_flip_p([0.1] * 20) == 2.0**-19
    assert sign_flip_p([0.1] * 40) == 1e-5
    assert sign_flip_p([0.0] * 40) == 1
    assert sign_flip_p([0.1, -0.1] * 20) == 1
    assert shuffle_p([0.9] * 15, [0.5] * 15) == 1e-5


@pytest.mark.parametrize("n", [8, 10])
def test_alike_arms_are_told_apart_at_most_one_time_in_twenty(n):
    random = np.random.default_rng(n)
    trials = 1000
    paired = [sign_flip_p(random.normal(size=n)) for _ in range(trials)]
    reached = np.floor(0.05 * 2 ** (n - 1)) / 2 ** (n - 1)
    rate = np.mean(np.array(paired) <= 0.05)
    assert abs(rate - reached) < 4 * np.sqrt(reached * (1 - reached) / trials)


def test_what_is_not_defined_is_none():
    assert sign_flip_p([]) is None
    assert sign_flip_p([0.1, np.nan]) is None
    assert shuffle_p([], [0.1]) is None
    assert shuffle_p([np.inf], [0.1]) is None


def test_smallest_p():
    assert [smallest_p(n) for n in (1, 5, 6, 8, 10)] == [1, 0.0625, 0.03125, 2**-7, 2**-9]
    assert smallest_p(5000) == 0
    assert smallest_p(4, 4) == 2 / 70
    assert smallest_p(3, 4) == smallest_p(4, 3) == 1 / 35
    # And it is reached.
    assert sign_flip_p([3, 1, 4, 1, 5, 9]) == smallest_p(6)
    assert shuffle_p([9, 8, 7, 6], [1, 2, 3, 4]) == smallest_p(4, 4)
    assert shuffle_p([90, 80, 70], [1, 2, 3, 4]) == pytest.approx(smallest_p(3, 4))


@pytest.mark.parametrize("counts", [(0,), (-3,), (4, 0), (0, 4)])
def test_no_replicates(counts):
    with pytest.raises(SpecError, match="replicates: give 1 or more"):
        smallest_p(*counts)
