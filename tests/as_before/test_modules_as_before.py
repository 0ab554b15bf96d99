"""A start loads no more of other packages than it did."""

from __future__ import annotations

import pytest

from tests.as_before import modules
from tests.as_before.kept import expected


@pytest.mark.parametrize("start", modules.STARTS)
def test_a_start_loads_no_more_than_before(start: str):
    """Our own modules may become more; how many there were stands in expected/modules.json."""
    assert modules.grown(expected("modules")[start], modules.loaded(start)) == []


def test_a_package_more_is_seen():
    before = modules.counted("pass")
    assert modules.grown(before, before) == []
    now = modules.counted("import numpy")
    assert modules.grown(before, now)[0] == "numpy is loaded"


def test_a_module_more_of_a_package_that_was_there_is_seen():
    before, now = modules.counted("import numpy"), modules.counted("import numpy.polynomial.tests")
    (line,) = modules.grown(before, now)
    assert line.endswith(f"before {before['others']}")
