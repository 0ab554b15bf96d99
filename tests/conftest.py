"""What tests of several rooms share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder that holds `mnist/` and `fashion-mnist/`, the published IDX files."""
    named = os.environ.get("UNDERTOW_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    lacking = [name for name in ("mnist", "fashion-mnist") if not (folder / name).is_dir()]
    if lacking:
        message = f"no {' and no '.join(lacking)} in {folder}: set UNDERTOW_DATA to their folder"
        # Where every change is judged, a test that skips itself would pass for ever.
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder
