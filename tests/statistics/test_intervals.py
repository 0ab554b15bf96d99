# A None where a number is due fails the test by itself.
# pyright: reportGeneralTypeIssues=false, reportOptionalMemberAccess=false
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from undertow.errors import SpecError
from undertow.statistics.intervals import (
    Interval,
    mean_interval,
    t_interval,
    welch_interval,
    wilson,
)
from undertow.statistics.values import mean_of, row

# Whole numbers of 1/64, so that shifts and sums are exact.
SHARES = st.integers(0, 64).map(lambda count: count / 64)


def normal(random, n):
    return random.normal(size=n)


def bimodal(random, n):
    """A fifth of the replicates stuck at .5, the others at .9: a mean of .82."""
    return np.where(random.random(n) < 0.2, 0.5, 0.9) + 0.02 * random.normal(size=n)


def coverage(interval, draw, n, truth, samples):
    random = np.random.default_rng(n)
    found = (interval(draw(random, n)) for _ in range(samples))
    return np.mean([low <= truth <= high for low, high in found])


def close_to(found, expected, samples):
    """Within four standard errors of a measured share."""
    return abs(found - expected) < 4 * np.sqrt(expected * (1 - expected) / samples)


# The figures of the docstrings, 4,000 samples each; here fewer and others.
@pytest.mark.parametrize(
    ("interval", "draw", "n", "expected"),
    [
        (mean_interval, normal, 5, 0.851),
        (mean_interval, normal, 10, 0.899),
        (mean_interval, normal, 20, 0.924),
        (mean_interval, bimodal, 5, 0.659),
        (mean_interval, bimodal, 10, 0.881),
        (t_interval, normal, 5, 0.95),
        (t_interval, normal, 20, 0.95),
        (t_interval, bimodal, 5, 0.67),
        (t_interval, bimodal, 10, 0.894),
    ],
)
def test_intervals_cover_as_often_as_documented(interval, draw, n, expected):
    truth = 0.0 if draw is normal else 0.82
    assert close_to(coverage(interval, draw, n, truth, 400), expected, 400)


def test_the_coverage_check_can_fail():
    def halved(values):
        low, high = t_interval(values)
        return (3 * low + high) / 4, (low + 3 * high) / 4

    assert not close_to(coverage(halved, normal, 20, 0.0, 400), 0.95, 400)
    assert not close_to(coverage(t_interval, bimodal, 5, 0.82, 400), 0.95, 400)


def test_welch_covers_with_unequal_spreads_and_counts():
    def split(both):
        return welch_interval(both[:8], 10 * both[8:])

    assert close_to(coverage(split, normal, 28, 0.0, 2000), 0.95, 2000)


def test_bca_agrees_with_its_formulas():
    # Efron's formulas from their definitions: own resamples, jackknife by deletion.
    values = np.random.default_rng(3).exponential(size=15)
    random = np.random.default_rng(4)
    means = np.array([random.choice(values, 15).mean() for _ in range(40_000)])
    z0 = stats.norm.ppf((means < values.mean()).mean())
    jackknife = np.array([np.delete(values, place).mean() for place in range(15)])
    away = jackknife.mean() - jackknife
    acceleration = (away**3).sum() / (6 * (away**2).sum() ** 1.5)
    ends = []
    for z in stats.norm.ppf([0.025, 0.975]):
        share = stats.norm.cdf(z0 + (z0 + z) / (1 - acceleration * (z0 + z)))
        ends.append(np.quantile(means, share))
    found = mean_interval(values)
    assert found == pytest.approx(ends, rel=0.02)
    # The comparison is fine enough to tell BCa from the plain percentiles.
    assert found != pytest.approx(np.quantile(means, [0.025, 0.975]), rel=0.02)


def test_up_to_three_values_bca_is_the_range():
    assert mean_interval([0.25, 0.75]) == (0.25, 0.75)
    assert mean_interval([0.25, 0.75, 0.5]) == (0.25, 0.75)
    # In floats -3.0 + (-0.9 - -3.0) comes to more than -0.9.
    assert mean_interval([-3.0, -0.9]) == (-3.0, -0.9)


@settings(max_examples=50, deadline=None)
@given(st.lists(SHARES, min_size=2, max_size=12), st.randoms(use_true_random=False))
def test_bca_holds_the_mean_in_any_order(values, random):
    low, high = mean_interval(values)
    assert min(values) <= low <= mean_of(row(values)) <= high <= max(values)
    shuffled = list(values)
    random.shuffle(shuffled)
    assert mean_interval(shuffled) == (low, high)
    shifted = [value + 4 for value in values]
    assert mean_interval(shifted) == pytest.approx((low + 4, high + 4), abs=1e-12)


@pytest.mark.parametrize("interval", [mean_interval, t_interval])
@pytest.mark.parametrize("value", [0.1, 0.0, -3.7, 1e-300, 1e300])
@pytest.mark.parametrize("n", [2, 3, 10, 11])
def test_equal_values_give_no_width_and_no_warning(interval, value, n):
    assert interval([value] * n) == (value, value)


def test_values_a_rounding_apart_raise_nothing():
    low, high = mean_interval([0.3, 0.1 + 0.2, 0.3, 0.3])
    assert 0.3 <= low <= high <= 0.1 + 0.2
    low, high = mean_interval([0.0, 5e-324, 0.0])
    assert 0.0 <= low <= high <= 5e-324


@pytest.mark.parametrize("values", [[], [0.5], [0.5, np.nan, 0.6], [0.5, np.inf], [np.nan]])
def test_what_is_not_defined_is_none(values):
    assert mean_interval(values) is None
    assert t_interval(values) is None
    assert welch_interval(values, [0.5, 0.6]) is None
    assert welch_interval([0.5, 0.6], values) is None


def test_t_interval_against_the_printed_table():
    # t(.975, 9) = 2.262; the values 1 to 10 have variance 55/6.
    half = 2.262157 * np.sqrt(55 / 6 / 10)
    assert t_interval(range(1, 11)) == pytest.approx((5.5 - half, 5.5 + half), rel=1e-6)


def test_welch_against_scipy():
    random = np.random.default_rng(5)
    x, y = random.normal(1, 3, size=7), random.normal(size=12)
    oracle = stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.9)
    assert welch_interval(x, y, 0.9) == pytest.approx((oracle.low, oracle.high))


def test_welch_with_one_arm_or_both_constant():
    assert welch_interval([0.9] * 3, [0.5] * 4) == (0.9 - 0.5, 0.9 - 0.5)
    one_sample = t_interval([0.1, 0.2, 0.3])
    assert welch_interval([0.1, 0.2, 0.3], [0.0] * 9) == pytest.approx(one_sample)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # z^2 = 3.841459: 0 of n ends at z^2 / (n + z^2), half at .5 +- z / (2 sqrt(n + z^2)).
    [
        (0, 20, 0.0, 3.841459 / 23.841459),
        (20, 20, 20 / 23.841459, 1.0),
        (10, 20, 0.5 - 0.9799820 / np.sqrt(23.841459), 0.5 + 0.9799820 / np.sqrt(23.841459)),
        (0, 1, 0.0, 3.841459 / 4.841459),
    ],
)
def test_wilson_against_closed_forms(successes, trials, low, high):
    assert wilson(successes, trials) == pytest.approx((low, high), abs=1e-6)


@given(st.integers(0, 60), st.integers(1, 60), st.sampled_from([0.5, 0.9, 0.99]))
def test_wilson_against_scipy(successes, trials, level):
    successes = min(successes, trials)
    oracle = stats.binomtest(successes, trials).proportion_ci(level, method="wilson")
    found = wilson(successes, trials, level)
    assert found == pytest.approx((oracle.low, oracle.high), abs=1e-12)
    low, high = wilson(trials - successes, trials, level)
    assert (1 - high, 1 - low) == pytest.approx(found, abs=1e-12)


@pytest.mark.parametrize("trials", [5, 10, 13, 20])
def test_wilson_ends_exactly_at_none_and_all(trials):
    assert wilson(0, trials).low == 0
    assert wilson(trials, trials).high == 1


def test_wilson_without_trials():
    assert wilson(0, 0) is None


def test_a_higher_level_is_wider():
    values = np.random.default_rng(6).normal(size=12)
    for interval in (mean_interval, t_interval):
        inner, outer = interval(values, 0.5), interval(values, 0.99)
        assert outer.low < inner.low < inner.high < outer.high


@pytest.mark.parametrize("level", [0, 1, 95, -0.1, float("nan")])
def test_a_level_outside_0_to_1(level):
    for call in (
        lambda: mean_interval([1, 2], level),
        lambda: t_interval([1, 2], level),
        lambda: welch_interval([1, 2], [1, 2], level),
        lambda: wilson(1, 2, level),
    ):
        with pytest.raises(SpecError, match=f"^level = {level}: it must lie between 0 and 1"):
            call()


@pytest.mark.parametrize("counts", [(-1, 3), (4, 3), (0, -1)])
def test_impossible_counts(counts):
    with pytest.raises(SpecError, match="successes must lie between 0 and the trials"):
        wilson(*counts)


@pytest.mark.parametrize("values", [0.5, [[0.5, 0.6]], "high", [[1], [1, 2]], [object()]])
def test_anything_but_a_row_of_numbers(values):
    with pytest.raises(SpecError, match="give one number a replicate"):
        mean_interval(values)


def test_results_are_plain_floats():
    for found in (mean_interval([1, 2, 4]), t_interval([1, 2, 4]), wilson(1, 3)):
        assert isinstance(found, Interval)
        assert [type(end) for end in found] == [float, float]
