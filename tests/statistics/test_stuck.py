import numpy as np
import pytest

from undertow.errors import SpecError
from undertow.statistics.stuck import StuckCount, stuck, stuck_count


@pytest.mark.parametrize(
    ("accuracy", "share", "predicted", "expected"),
    [
        (0.54, 0.55, 0.7, True),  # under the larger class
        (0.55, 0.55, 0.7, True),  # not above it
        (0.56, 0.55, 0.7, False),
        (0.56, 0.55, 1.0, True),  # one class for all
        (0.56, 0.55, 0.9999, False),
        (1.0, 0.5, 0.5, False),
        (0.0, 0.5, 0.5, True),
        (np.nan, 0.5, 0.5, True),
        (0.9, 0.5, np.nan, True),
        (1.0, 1.0, 1.0, True),  # a test set of one class teaches nothing
    ],
)
def test_the_rule(accuracy, share, predicted, expected):
    found = stuck([accuracy], share, [predicted])
    assert found.dtype == bool
    assert found.tolist() == [expected]


@pytest.mark.parametrize("trials", range(1, 200, 7))
def test_a_float32_share_equal_to_the_larger_class_is_stuck(trials):
    for larger in range(trials // 2 + 1, trials):
        share = larger / trials
        assert stuck(np.array([share], np.float32), share, [0.8]).all()
        assert stuck([0.999], 0.5, np.array([1.0], np.float32)).all()
        # One sample more is not.
        assert not stuck(np.array([(larger + 1) / trials], np.float32), share, [0.8]).any()


def test_one_sample_above_in_a_large_test_set_has_learnt():
    assert not stuck([0.5 + 1e-5], 0.5, [1 - 1e-5]).any()


def test_shapes_that_differ():
    with pytest.raises(SpecError, match=r"^2 accuracies and 1 predicted shares: give one of each"):
        stuck([0.5, 0.6], 0.5, [1.0])


@pytest.mark.parametrize(
    ("accuracy", "share", "predicted"),
    [(90.0, 0.5, 0.5), (0.9, 50, 0.5), (0.9, 0.5, -0.1), (0.9, np.nan, 0.5)],
)
def test_percentages_and_worse(accuracy, share, predicted):
    with pytest.raises(SpecError, match=r"^share \S+: shares lie between 0 and 1"):
        stuck([accuracy], share, [predicted])


def test_count():
    found = stuck_count(stuck([0.5] * 20, 0.5, [0.6] * 20))
    assert (found.stuck, found.n) == (20, 20)
    # 20 of 20: from n / (n + z^2) to 1.
    assert found.interval == pytest.approx((20 / 23.841459, 1.0), abs=1e-6)
    assert stuck_count([]) == StuckCount(0, 0, None)
    assert type(found.stuck) is int
