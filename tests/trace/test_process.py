"""Whether a writer still lives."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from undertow.trace.store.process import Process, is_alive, this_process


def started() -> tuple[subprocess.Popen, Process]:
    """Start a process that says who it is, and ends when its input does."""
    program = (
        "import json, sys; from undertow.trace.store.process import this_process; "
        "print(json.dumps(this_process()), flush=True); sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    child = subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe, text=True)
    assert child.stdout
    said = child.stdout.readline()
    return child, Process(*json.loads(said))


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="no processes that have ended and stay here")
def test_one_that_was_killed_is_dead_before_anybody_has_waited_for_it() -> None:
    child, process = started()
    assert is_alive(process)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays listed
    os.kill(child.pid, 0)
    assert not is_alive(process)
    child.communicate()
    assert not is_alive(process)


def test_another_with_the_same_number_is_not_it() -> None:
    assert not is_alive(this_process()._replace(born="another"))


def test_of_another_machine_nothing_is_known() -> None:
    assert is_alive(Process("elsewhere", 1, "1"))
