# A None where a number is due fails the test by itself.
# pyright: reportArgumentType=false
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from undertow.statistics.intervals import mean_interval
from undertow.statistics.summary import Summary, summarise


def test_by_hand():
    # Sorted .5 .6 .7 .8 .9 1: one value off either end, mean of .6 to .9.
    found = summarise([1.0, 0.5, 0.6, 0.9, 0.8, 0.7])
    assert found.mean == pytest.approx(0.75)
    assert found.sd == pytest.approx(np.sqrt(0.175 / 5))
    assert found.median == pytest.approx(0.75)
    assert found.iqm == pytest.approx(0.75)
    assert found.n == 6
    assert found.ci95 == mean_interval([1.0, 0.5, 0.6, 0.9, 0.8, 0.7])


def test_the_interquartile_mean_hides_stuck_replicates():
    found = summarise([0.9] * 8 + [0.5] * 2)
    assert (found.iqm, found.median) == (0.9, 0.9)
    assert found.mean == pytest.approx(0.82)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=15))
def test_against_scipy(values):
    found = summarise(values)
    assert found.iqm == pytest.approx(stats.trim_mean(values, 0.25), abs=1e-12)
    assert found.median == np.median(values)
    assert found.mean == pytest.approx(np.mean(values), abs=1e-12)
    assert min(values) <= found.mean <= max(values)


@pytest.mark.parametrize("n", [2, 3, 10, 30])
def test_equal_values(n):
    assert summarise([0.1] * n) == Summary(0.1, 0.0, 0.1, 0.1, (0.1, 0.1), n)


def test_one_value():
    assert summarise([0.7]) == Summary(0.7, None, 0.7, 0.7, None, 1)


@pytest.mark.parametrize("values", [[], [np.nan], [0.5, np.nan, 0.9], [0.5, -np.inf]])
def test_nothing_is_dropped(values):
    assert summarise(values) == Summary(None, None, None, None, None, len(values))


def test_it_is_json():
    found = json.loads(json.dumps(summarise(np.array([0.25, 0.75], np.float32))._asdict()))
    assert found["ci95"] == [0.25, 0.75]
    assert list(found) == ["mean", "sd", "median", "iqm", "ci95", "n"]
