"""What painters share: a painter is a thread of a cell, and over once the cell runs again."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any

A_NAP = 0.05  # seconds, after which a painter that is over ends


def replace(mo: Any, painter: Any, picture: Any) -> None:
    """Show a picture, unless another painter has taken over."""
    if not painter.should_exit:
        mo.output.replace(picture)


def wait(painter: Any, seconds: float) -> None:
    """Wait before the next look, or until another painter takes over."""
    until = time.monotonic() + seconds
    while not painter.should_exit and time.monotonic() < until:
        time.sleep(A_NAP)


def keep_address(mo: Any, ours: Collection[str], words: Mapping[str, str]) -> None:
    """Write words into the address bar, and take out those of ours that are not among them."""
    kept = mo.query_params()
    for word in ours:
        if word not in words:
            kept.remove(word)
    for word, text in words.items():
        if kept.get(word) != text:
            kept.set(word, text)
