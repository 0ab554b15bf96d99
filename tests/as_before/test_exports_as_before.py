"""A run is exported as it was: the CSV file byte for byte, the NetCDF file array for array."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.as_before import holdings, make
from tests.as_before.differing import differences, told
from tests.as_before.kept import EXPORTS, expected
from undertow.trace.schema import OLD_NAMES


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run, exported now."""
    folder = tmp_path_factory.mktemp("exports")
    make.exported(folder)
    return folder


def test_csv_is_the_same_to_the_byte(exported: Path):
    before, now = ((folder / "run.csv").read_bytes() for folder in (EXPORTS, exported))
    lines = zip(before.splitlines(), now.splitlines(), strict=False)
    assert [pair for pair in lines if pair[0] != pair[1]][:3] == []
    assert before == now


@pytest.mark.parametrize("which", ["kept", "made now"])
def test_netcdf_has_the_same_arrays(which: str, exported: Path):
    folder = EXPORTS if which == "kept" else exported
    kept = expected("netcdf")
    for name in OLD_NAMES:
        del kept["meanings"][name]
    found = differences(kept, holdings.netcdf(folder / "run.nc"))
    assert not found, told(found)
