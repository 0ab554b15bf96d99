"""Keep freed memory in the process, where the platform's allocator would hand it back at once."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # mallopt's parameters in glibc
_LARGEST = 1 << 30


def keep_freed_memory() -> bool:
    """Ask glibc to reuse freed blocks of any size; tell whether it will.

    >>> keep_freed_memory() and not sys.platform.startswith("linux")  # glibc alone can
    False

    Tensors above 128 kB are otherwise mapped anew for every operation, and the kernel clears each
    page again: hundreds of page faults a step, a tenth of the time and more. All threads share one
    arena, because the others' memory goes back whatever is asked.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library
        return False
    settings = {_ARENA_MAX: 1, _MMAP_THRESHOLD: _LARGEST, _TRIM_THRESHOLD: _LARGEST}
    return all([mallopt(name, value) for name, value in settings.items()])
