import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.statistics import bands

REPLICATES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)


@given(REPLICATES)
def test_a_band_is_numpys_quantiles(values):
    found = bands.band(values)
    low, median, high = np.quantile(values, [0.05, 0.5, 0.95])
    assert found.low == pytest.approx(low, abs=1e-6)
    assert found.median == pytest.approx(median, abs=1e-6)
    assert found.high == pytest.approx(high, abs=1e-6)
    assert found.low <= found.median + 1e-9 <= found.high + 2e-9


def test_a_band_runs_over_the_axis_asked_for():
    values = np.arange(24.0).reshape(2, 3, 4)
    assert bands.band(values, axis=1).median.tolist() == [[4, 5, 6, 7], [16, 17, 18, 19]]


@pytest.mark.parametrize(
    ("values", "median"),
    [
        ([1.0, 2.0, np.nan], 2.0),
        ([1.0, np.nan, np.nan], np.nan),
        ([1.0, np.inf, np.nan], np.inf),
        ([1.0, np.inf], np.inf),
        ([np.inf, np.inf], np.inf),
        ([0.0, 0.0, 5.0], 0.0),
        ([7.0], 7.0),
    ],
)
def test_what_diverged_counts_as_largest(values, median):
    assert np.array_equal(bands.median(values), median, equal_nan=True)


def test_all_not_a_number_gives_no_warning():
    assert np.isnan(bands.band([np.nan, np.nan]).high)


@given(REPLICATES)
def test_the_middle_replicate_has_half_the_others_on_either_side(values):
    chosen = values[bands.middle(values)]
    assert sum(value < chosen for value in values) <= (len(values) - 1) // 2
    assert sum(value > chosen for value in values) <= len(values) // 2


def test_the_middle_of_some_that_diverged():
    assert bands.middle([np.nan, 0.5, np.nan, 0.9]) == 3


def test_last_epoch():
    values = np.array([[[1.0, 10.0], [2.0, 20.0], [4.0, np.inf]]])
    assert bands.last_epoch(values, [1, 2, 2]).tolist() == [[3.0, np.inf]]
    assert bands.last_epoch(values[:, :1], [1]).tolist() == [[1.0, 10.0]]


def test_lost_decades_of_nothing_left():
    assert bands.lost_decades([0.0], [1.0]) == -np.inf
    assert bands.lost_decades([1e-3, 1e-3, np.nan], [1.0, 1.0, 1.0]) == pytest.approx(-3)


@pytest.mark.parametrize(
    ("epochs", "columns"), [(1, 1), (7, 7), (120, 120), (121, 120), (999, 120)]
)
def test_columns_cover_every_epoch_once(epochs, columns):
    steps = np.repeat(np.arange(1, epochs + 1), 2)
    found = bands.in_columns(np.ones((len(steps), 3)), steps)
    assert len(found.first) == columns == len(found.values)
    assert found.first[0] == 1
    assert found.last[-1] == epochs
    assert (found.first[1:] == found.last[:-1] + 1).all()


def test_columns_of_decades():
    values = np.array([[1e-6], [1e-2], [0.0], [1.0], [np.nan], [np.nan]])
    found = bands.in_columns(values, [1, 1, 2, 2, 3, 3], decades=True).values[:, 0]
    assert found[:2] == pytest.approx([1e-4, 0.0])
    assert np.isnan(found[2])


def test_a_column_of_one_step_is_that_step():
    value = np.float64(0.1) * 3
    assert bands.in_columns([value], [1], decades=True).values[0] == value


def test_no_steps():
    assert bands.in_columns(np.zeros((0, 2)), []).values.shape == (0, 2)


def test_counted():
    middles, shares = bands.sum_histograms(np.ones((3, 5, 80)), edge=10.0)
    assert middles[0] == -9.875
    assert middles[-1] == 9.875
    assert shares.sum() == pytest.approx(1.0)
    assert bands.sum_histograms(np.zeros((1, 4)), edge=1.0)[1].sum() == 0
