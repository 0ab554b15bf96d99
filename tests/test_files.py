"""A file is whole or not there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from undertow import files

LIMITED = """
import resource, signal, sys
from pathlib import Path
from undertow import files
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    files.write(Path(sys.argv[1]), bytes(100_000))
except OSError as error:
    print(error.strerror)
"""


def test_what_is_written_is_there(tmp_path: Path):
    path = tmp_path / "figure.png"
    for content in (b"first", b"second"):
        files.write(path, content)
        assert path.read_bytes() == content
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("before", [None, b"of yesterday"])
def test_where_there_is_no_room_nothing_changes(tmp_path: Path, before: bytes | None):
    path = tmp_path / "figure.png"
    if before:
        path.write_bytes(before)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "File too large\n"
    assert [each.read_bytes() for each in tmp_path.iterdir()] == ([before] if before else [])


def test_two_that_write_one_file_do_not_share_a_place(tmp_path: Path):
    path = tmp_path / "run.csv"
    with files.replacing(path) as one, files.replacing(path) as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"  # the last to be whole
    assert list(tmp_path.iterdir()) == [path]
