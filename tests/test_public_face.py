"""Every public name is there, is documented, and shows an example."""

from __future__ import annotations

import pytest

import undertow


@pytest.mark.parametrize("name", undertow.__all__)
def test_public_names_are_documented(name: str):
    text = getattr(undertow, name).__doc__
    assert text
    assert ">>>" in text


def test_dir_lists_the_public_names():
    assert set(undertow.__all__) <= set(dir(undertow))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'undertow' has no attribute 'predicct'"):
        _ = undertow.predicct
