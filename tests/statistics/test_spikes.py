"""Spikes are found where they were put, and nowhere in a run without one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.statistics.spikes import DEVIATIONS, FEWEST, spikes


def quiet(steps: int, seed: int = 0, scatter: float = 0.1) -> np.ndarray:
    """A norm that falls by two decades, with a normal scatter in its logarithm."""
    drawn = np.random.default_rng(seed).normal(0, scatter, steps)
    return drawn - np.linspace(0, 2, steps)


@pytest.mark.parametrize("seed", range(20))
def test_a_run_that_falls_and_scatters_has_no_spike(seed):
    assert len(spikes(quiet(1_000, seed)).places) == 0


@given(places=st.sets(st.integers(30, 970), min_size=1, max_size=8), height=st.floats(1.5, 8))
def test_spikes_are_found_where_they_were_put(places, height):
    values = quiet(1_000)
    values[list(places)] += height
    found = spikes(values)
    assert found.places.tolist() == sorted(places)
    # The band is that of the scatter put in, whatever the spikes.
    assert found.half_width == pytest.approx(DEVIATIONS * 0.1, rel=0.2)


def test_the_median_of_the_neighbours_is_that_of_a_slow_loop():
    values = quiet(200)
    padded = np.concatenate([np.full(25, values[0]), values, np.full(25, values[-1])])
    slow = [np.median(padded[place : place + 51]) for place in range(len(values))]
    np.testing.assert_allclose(spikes(values).middle, slow)


def test_what_is_no_number_is_no_spike_and_hides_none():
    values = quiet(300)
    values[100] = 3.0
    values[[50, 99, 101]] = [np.nan, np.inf, -np.inf]
    assert spikes(values).places.tolist() == [100]


def test_a_level_run_needs_a_factor_of_two():
    values = np.zeros(100)
    values[40], values[60] = 0.29, 0.31
    assert spikes(values).places.tolist() == [60]


def test_of_few_steps_nothing_is_usual():
    values = np.zeros(FEWEST - 1)
    values[5] = 9.0
    found = spikes(values)
    assert (found.places.tolist(), found.half_width) == ([], np.inf)


def test_nothing_and_nothing_but_nan_are_borne():
    assert len(spikes([]).places) == 0
    assert len(spikes([np.nan] * 50).places) == 0
