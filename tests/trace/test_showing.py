"""A value is shown by what is registered for its kind; where nothing is, one line says so."""

from __future__ import annotations

import pytest

from undertow.errors import UndertowError
from undertow.trace import showing


class Plain:
    """A kind that only this file registers."""


class Unknown:
    """A kind that nothing registers."""


def test_a_way_gets_the_value_and_what_is_said_beside():
    seen = []
    value = Plain()
    showing.register(Plain, {"plot": lambda *given: seen.append(given) or "drawn"})
    assert showing.show(value, "plot", "delta_norm") == "drawn"
    assert seen == [(value, "delta_norm")]


def test_ways_registered_later_are_added():
    showing.register(Plain, {"text": lambda _: "words"})
    showing.register(Plain, {"html": lambda _: "<p>words</p>"})
    assert showing.show(Plain(), "text") == "words"
    assert showing.show(Plain(), "html") == "<p>words</p>"


def test_a_kind_that_nothing_shows_is_one_clear_line():
    with pytest.raises(UndertowError) as caught:
        showing.show(Unknown(), "html")
    assert str(caught.value) == (
        "no html of a Unknown: nothing is registered for it; verbs/show_values.py registers"
    )


def test_a_way_that_a_kind_does_not_have_names_those_it_has():
    showing.register(Plain, {"text": lambda _: "words"})
    with pytest.raises(UndertowError, match="^no dance of a Plain: only .*text.* is registered"):
        showing.show(Plain(), "dance")
