# A None where a number is due fails the test by itself.
# pyright: reportArgumentType=false, reportOptionalOperand=false, reportOperatorIssue=false
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.errors import SpecError
from undertow.statistics.comparison import Comparison, compare, holm
from undertow.statistics.intervals import t_interval, welch_interval
from undertow.statistics.permutation import shuffle_p, sign_flip_p

SHARE = st.integers(0, 64).map(lambda count: count / 64)
PAIRS = st.lists(st.tuples(SHARE, SHARE), min_size=1, max_size=10)
GOOD = [0.75, 0.875, 0.75, 1.0, 0.5, 0.875]
BAD = [0.5, 0.5, 0.625, 0.5, 0.625, 0.5]


def test_paired():
    found = compare(GOOD, BAD)
    differences = [0.25, 0.375, 0.125, 0.5, -0.125, 0.375]
    assert found.difference == 0.25
    assert found.ci95 == t_interval(differences)
    assert found.p_value == sign_flip_p(differences) == 6 / 64
    # .5 ties four times .5 and loses twice; every other value of GOOD wins all six.
    assert found.probability_of_improvement == pytest.approx((5 * 6 + 4 / 2) / 36)
    assert found.note == ""


def test_unpaired():
    found = compare(GOOD, BAD, paired=False)
    assert found.difference == 0.25
    assert found.ci95 == welch_interval(GOOD, BAD)
    assert found.p_value == shuffle_p(GOOD, BAD)
    assert found.note == ""


def test_pairing_matters_for_the_p_value_alone_of_seeds():
    # The same gap at every seed, hidden in a wide spread over seeds.
    baseline = np.linspace(0.1, 0.9, 8)
    assert compare(baseline + 0.03125, baseline).p_value == 2**-7
    assert compare(baseline + 0.03125, baseline, paired=False).p_value > 0.5
    # So the order of the seeds counts when paired.
    assert compare(baseline[::-1] + 0.03125, baseline).p_value > 0.5


def test_unequal_lengths_are_compared_unpaired():
    found = compare(GOOD, BAD[:5])
    assert found.ci95 == welch_interval(GOOD, BAD[:5])
    assert found.p_value == shuffle_p(GOOD, BAD[:5])
    assert found.note == "6 against 5 seeds: compared unpaired"


@pytest.mark.parametrize(
    ("n", "note"),
    [
        (1, "1 seed can never reach p < .05 (the smallest possible is 1): no test"),
        (2, "2 seeds can never reach p < .05 (the smallest possible is .5): no test"),
        (5, "5 seeds can never reach p < .05 (the smallest possible is .0625): no test"),
        (6, ""),
    ],
)
def test_too_few_seeds_for_a_test(n, note):
    found = compare(GOOD[:n], BAD[:n])
    assert (found.p_value is None) == (note != "")
    assert (found.ci95 is None) == (n == 1)
    assert found.note == note


def test_too_few_seeds_unpaired():
    found = compare(GOOD[:3], BAD[:2])
    assert found.p_value is None
    assert found.note == (
        "3 against 2 seeds: compared unpaired; "
        "3 against 2 seeds can never reach p < .05 (the smallest possible is .1): no test"
    )
    assert compare(GOOD[:4], BAD[:3]).p_value is not None


def test_lost_values():
    found = compare([0.5, np.nan, np.inf], [0.5, 0.6, 0.7])
    assert found == Comparison(
        None, None, None, None, None, "2 of 6 values are not finite: no comparison"
    )
    assert compare([np.nan], [0.5]).note == "1 of 2 values is not finite: no comparison"
    assert compare([], [0.5]).note == "an arm without replicates: no comparison"


@pytest.mark.parametrize("paired", [True, False])
def test_an_arm_against_itself(paired):
    found = compare([0.9] * 8, [0.9] * 8, paired)
    assert found[:4] == (0.0, (0.0, 0.0), 1.0, 0.5)
    found = compare(GOOD, GOOD, paired)
    assert (found.difference, found.p_value, found.probability_of_improvement) == (0.0, 1.0, 0.5)


@settings(max_examples=60, deadline=None)
@given(PAIRS, st.integers(-8, 8), st.booleans())
def test_shifts_and_swaps(pairs, shift, paired):
    arm, baseline = np.array(pairs).T
    found = compare(arm, baseline, paired)
    if found.ci95 is not None:
        assert found.ci95.low <= found.difference <= found.ci95.high
    moved = compare(arm + shift, baseline + shift, paired)
    assert moved.p_value == found.p_value
    assert moved[3:] == found[3:]
    assert moved.difference == pytest.approx(found.difference, abs=1e-12)
    swapped = compare(baseline, arm, paired)
    assert swapped.p_value == found.p_value
    assert swapped.difference == pytest.approx(-found.difference, abs=1e-12)
    assert swapped.probability_of_improvement == pytest.approx(1 - found.probability_of_improvement)
    if found.ci95 is not None:
        assert swapped.ci95 == pytest.approx((-found.ci95.high, -found.ci95.low), abs=1e-12)


@pytest.mark.parametrize("paired", [True, False])
def test_a_real_difference_is_found_and_none_is_not(paired):
    random = np.random.default_rng(0)
    found = lost = 0
    for _ in range(100):
        baseline = random.normal(size=8)
        found += compare(baseline + random.normal(3, 1, size=8), baseline, paired).p_value < 0.05
        lost += compare(random.normal(size=8), baseline, paired).p_value < 0.05
    assert found > 95
    assert lost < 15


def test_it_is_json():
    found = json.loads(json.dumps(compare(GOOD, BAD)._asdict()))
    assert found["ci95"] == list(compare(GOOD, BAD).ci95)


def test_holm_by_hand():
    # Sorted .005 .011 .02 .04 times 4, 3, 2, 1.
    assert holm([0.02, 0.005, 0.04, 0.011]) == pytest.approx([0.04, 0.02, 0.04, 0.033])
    # .01 x 3, .03 x 2, then .04 held up to .06.
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.5]) == [1.0, 1.0]
    assert holm([0.02, 0.02]) == [0.04, 0.04]
    assert holm([None, 0.04, None]) == [None, 0.04, None]
    assert holm([]) == []


@given(st.lists(st.none() | st.floats(0, 1), max_size=8))
def test_holm_only_raises_and_keeps_the_order(p_values):
    adjusted = holm(p_values)
    assert [p is None for p in adjusted] == [p is None for p in p_values]
    made = sorted((p, q) for p, q in zip(p_values, adjusted, strict=True) if p is not None)
    assert all(p <= q <= min(1, len(made) * p) + 1e-15 for p, q in made)
    assert [q for _, q in made] == sorted(q for _, q in made)


def test_holm_holds_the_family_to_one_error_in_twenty():
    random = np.random.default_rng(1)
    families = random.random(size=(2000, 5))
    raw = np.mean(families.min(axis=1) < 0.05)
    held = np.mean([min(holm(list(family))) < 0.05 for family in families])
    assert held < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 2000)
    assert raw > 0.15  # without Holm the same check fails


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_impossible_p_values(p):
    with pytest.raises(SpecError, match=f"^p-value {p}: it must lie between 0 and 1"):
        holm([0.5, p])
