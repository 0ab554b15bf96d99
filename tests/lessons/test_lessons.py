"""Every lesson runs as a plain script, with the right answers filled in."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from undertow.app.server import lessons
from undertow.errors import UndertowError


@pytest.mark.parametrize("number", lessons.TITLES)
def test_a_lesson_is_a_script_whose_right_answers_are_right(number):
    done = subprocess.run(
        [sys.executable, lessons.find(number)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert lessons.TITLES[number] in done.stdout
    assert "[right]" in done.stdout
    assert "[wrong]" not in done.stdout


def test_a_lesson_that_is_not_there_is_one_line():
    with pytest.raises(UndertowError, match="lesson 9: there are lessons 1 to 6"):
        lessons.find(9)
