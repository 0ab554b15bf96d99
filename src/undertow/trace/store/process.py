"""Whether the process that writes a run still lives."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """A process on a machine; `born` tells it from a later one with the same number."""

    host: str
    pid: int
    born: str


def this_process() -> Process:
    """Return the process that asks.

    >>> is_alive(this_process())
    True
    """
    return Process(socket.gethostname(), os.getpid(), _born(os.getpid()))


def is_alive(process: Process) -> bool:
    """Tell whether a process still lives; of another machine's it cannot be known: yes."""
    if process.host != socket.gethostname():
        return True
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return _born(process.pid) == process.born


def _born(pid: int) -> str:
    """Return when a process began, in the kernel's ticks; "" where the kernel does not say.

    "" also of one that has ended and that nobody has waited for: in a container it may stay listed.
    """
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else rest[18]
