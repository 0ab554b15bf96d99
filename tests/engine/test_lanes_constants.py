"""What the schema fixes is the same in the native code, which cannot import it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import undertow
from undertow.trace import schema

NATIVE = Path(undertow.__file__).parent / "engine" / "lanes" / "native"
SAME = {
    "SATURATED_BELOW": schema.SATURATED_BELOW,
    "BINS": schema.HISTOGRAM_BINS,
    "EDGE": schema.HISTOGRAM_EDGE,
}


def constants(folder: Path) -> dict[str, list[float]]:
    """Every number that a header gives a name once for all, by that name."""
    found: dict[str, list[float]] = {}
    for path in sorted(folder.glob("*.h")):
        for name, number in re.findall(
            r"constexpr (?:int|float) (\w+) = ([\d.]+)f?;", path.read_text()
        ):
            found.setdefault(name, []).append(float(number))
    return found


@pytest.mark.parametrize("name", SAME)
def test_a_constant_is_the_schemas(name: str):
    assert constants(NATIVE)[name] == [SAME[name]]


def test_the_check_can_fail(tmp_path: Path):
    (tmp_path / "measure.h").write_text("constexpr int BINS = 81;\nconstexpr float EDGE = 9.5f;\n")
    assert constants(tmp_path) == {"BINS": [81.0], "EDGE": [9.5]}
