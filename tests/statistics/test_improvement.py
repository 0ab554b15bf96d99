# A None where a number is due fails the test by itself.
# pyright: reportOptionalMemberAccess=false
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from undertow.errors import SpecError
from undertow.statistics.improvement import (
    improvement_interval,
    probability_of_improvement,
    required_replicates,
)

ARM = st.lists(st.integers(0, 9), min_size=1, max_size=8)


def test_by_hand():
    # 3 against 1, 2, 3: two wins and a tie; 1 against them: a tie and two losses.
    assert probability_of_improvement([3, 1], [1, 2, 3]).probability == 0.5
    assert probability_of_improvement([3, 2], [1, 2, 3]).probability == pytest.approx(4 / 6)
    assert probability_of_improvement([1], [0]).probability == 1
    assert probability_of_improvement([1, 1], [1]).probability == 0.5


@given(ARM, ARM)
def test_against_mann_whitney_and_the_other_way_round(x, y):
    found = probability_of_improvement(x, y)
    u = stats.mannwhitneyu(x, y, method="asymptotic").statistic if len({*x, *y}) > 1 else None
    if u is not None:
        assert found.probability == pytest.approx(u / (len(x) * len(y)))
    low, high = found.interval
    assert 0 <= low <= found.probability <= high <= 1
    assert high - low > 0.1
    back = probability_of_improvement(y, x)
    assert back.probability == pytest.approx(1 - found.probability)
    assert back.interval == pytest.approx((1 - high, 1 - low), abs=1e-12)
    rescaled = probability_of_improvement(np.exp(x), np.exp(y))
    assert rescaled.probability == pytest.approx(found.probability)


@pytest.mark.parametrize(("measured", "m", "n"), [(0.7, 10, 10), (0.96, 5, 9), (0.5, 20, 20)])
def test_the_ends_solve_newcombes_cubic(measured, m, n):
    # Newcombe's equation multiplied out; z^2 = 3.841459.
    spare = (m + n) / 2 - 1
    for end in improvement_interval(measured, m, n):
        away = m * n * (measured - end) ** 2 * (2 - end) * (1 + end)
        spread = end * (1 - end) * (2 + spare + (1 + 2 * spare) * end * (1 - end))
        assert away == pytest.approx(3.841459 * spread, rel=1e-5)


def coverage(interval, draw, n, truth, samples=1000):
    random = np.random.default_rng(n)
    found = (interval(draw(random, n)) for _ in range(samples))
    return np.mean([low <= truth <= high for low, high in found])


def normal(shift):
    return lambda random, n: (random.normal(shift, size=n), random.normal(size=n))


def half_stuck(random, n):
    """The first never stuck, the second half of the time: P = .5 + .5 / 2."""
    good = 0.9 + 0.02 * random.normal(size=(2, n))
    return good[0], np.where(random.random(n) < 0.5, 0.5, good[1])


def score(arms):
    return probability_of_improvement(*arms).interval


def bootstrap(arms):
    random = np.random.default_rng(0)
    x, y = (arm[random.integers(0, len(arm), size=(100, len(arm)))] for arm in arms)
    return np.quantile((x[:, :, None] > y[:, None, :]).mean((1, 2)), [0.025, 0.975])


@pytest.mark.parametrize("n", [5, 10, 20])
@pytest.mark.parametrize(
    ("draw", "truth"),
    [(normal(0), 0.5), (normal(2), stats.norm.cdf(2**0.5)), (half_stuck, 0.75)],
)
def test_newcombe_covers(n, draw, truth):
    assert 0.925 < coverage(score, draw, n, truth) < 0.99


def test_the_coverage_check_can_fail():
    assert coverage(bootstrap, normal(2), 5, stats.norm.cdf(2**0.5)) < 0.9


def test_total_separation_still_has_width():
    low, high = probability_of_improvement(range(10, 20), range(10)).interval
    assert high == 1
    assert 0.75 < low < 0.85


@pytest.mark.parametrize(("x", "y"), [([], [1]), ([1], []), ([1, np.nan], [1]), ([1], [np.inf])])
def test_what_is_not_defined_is_none(x, y):
    assert probability_of_improvement(x, y) is None


@pytest.mark.parametrize(
    "arguments", [(1.1, 3, 3), (-0.1, 3, 3), (float("nan"), 3, 3), (0.5, 0, 3)]
)
def test_impossible_probabilities(arguments):
    with pytest.raises(SpecError, match="it must lie between 0 and 1, with 1 replicate or more"):
        improvement_interval(*arguments)


def test_replicates_to_plan():
    assert required_replicates() == 29  # 28.86
    assert required_replicates(0.9) == required_replicates(0.1) == 12
    assert required_replicates(0.75, power=0.8) < 29


@pytest.mark.parametrize("probability", [0.5, 1.5, float("nan")])
def test_nothing_to_plan_for(probability):
    with pytest.raises(SpecError, match=f"^probability = {probability}: it must lie between"):
        required_replicates(probability)


def test_impossible_errors():
    with pytest.raises(SpecError, match=r"^false_alarm = 5, power = 0\.95: both must lie"):
        required_replicates(0.75, 5)
