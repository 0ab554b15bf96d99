"""The data sets that have a name."""

from __future__ import annotations

import numpy as np
import pytest

from undertow.data.dataset import load, sets
from undertow.errors import DataError, UnknownName

MADE = [name for name, each in sets().items() if each.make]


def test_each_says_what_it_is_and_is_made_or_read():
    for name, each in sets().items():
        assert each.name == name
        assert each.about
        assert (each.make is None) != (each.read is None)
    assert MADE == ["moons", "circles", "digits"]


@pytest.mark.parametrize("name", MADE)
def test_what_is_made_is_always_the_same_and_takes_no_folder(name: str):
    one, other = load(name), load(name)
    assert one.name == name
    assert np.array_equal(one.train_inputs, other.train_inputs)
    assert np.array_equal(one.test_targets, other.test_targets)
    with pytest.raises(DataError, match=f"{name} is made, not read from files: leave --data x out"):
        load(name, "x")


def test_what_is_read_looks_in_the_folder_alone():
    with pytest.raises(DataError, match="no such folder|not there|missing|no folder"):
        load("mnist", "nowhere at all")


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(UnknownName, match="unknown data set 'mons': did you mean 'moons'"):
        load("mons")
