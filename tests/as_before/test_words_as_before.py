"""Every table, document and report that is made of the small stores is as it was.

Nothing is trained: the stores hold all that the commands ask for, so that what they print comes of
kept numbers alone.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.as_before import commands
from tests.as_before.differing import differences, told
from tests.as_before.kept import expected, tolerance


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_a_command_prints_what_it_printed(name: str, tmp_path: Path):
    now = commands.printed(name, tmp_path)
    found = differences(expected(f"printed/{name}"), now, tolerance())
    assert not found, told(found)


@pytest.mark.parametrize("name", ["lanes-run-json", "torch-run-json", "atlas-json"])
def test_nothing_was_trained_for_it(name: str):
    assert expected(f"printed/{name}")["document"]["networks"] == 0


def test_the_demonstration_is_kept_whole():
    """Its 1,000 networks are trained again by hand: `make.py --check-demo`."""
    demo = expected("demo")
    document = demo["document"]
    assert (document["networks"], len(document["arms"])) == (1000, 10)
    assert demo["status"] == 0
    for arm in document["arms"]:
        line = next(line for line in demo["printed"] if line.split()[:1] == [arm["name"]])
        assert f"{arm['test_accuracy']['mean']:.3f}" in line
