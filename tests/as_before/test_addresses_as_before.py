"""An address of the playground stands for the trial it stood for, and is written as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.as_before import trials
from tests.as_before.differing import differences, told
from tests.as_before.kept import expected

# The first step of fifty layers: see test_arrays_as_before.py; in proportion to the depth.
FIRST_STEP = 1e-3


@pytest.mark.parametrize("name", trials.THREE)
def test_an_address_is_read_and_written_as_before(name: str):
    before = expected("addresses")["read"][name]
    assert before["again"] == trials.THREE[name]
    found = differences(before, trials.described(before["address"]))
    assert not found, told(found)


def test_every_preset_has_its_address():
    found = differences(expected("addresses")["presets"], trials.presets())
    assert not found, told(found)


@pytest.mark.parametrize("name", trials.THREE)
def test_its_first_step_has_the_same_numbers(name: str, instruction_set: str):
    before = expected("addresses")
    assert_alike(before["first_steps"][name], trials.measured(before["read"][name]["address"]))


@pytest.mark.parametrize("measure", trials.MEASURED)
def test_the_comparison_of_first_steps_can_fail(measure: str):
    before = expected("addresses")["first_steps"]["edge of chaos"]
    now = {name: np.array(values) for name, values in before.items()}
    now[measure].flat[-1 if measure == "loss" else 0] *= 1 + 10 * FIRST_STEP
    with pytest.raises(AssertionError, match=measure):
        assert_alike(before, now)


def assert_alike(before: dict[str, Any], now: dict[str, Any]) -> None:
    """Hold the numbers of a first step to those before, to round-off of another processor."""
    assert list(before) == list(now)
    for name, values in before.items():
        np.testing.assert_allclose(
            np.array(now[name], float), np.array(values, float), FIRST_STEP, err_msg=name
        )
