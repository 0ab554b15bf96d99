"""What differs between two documents, and digests that stand for what is too long to keep."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

SHOWN = 20  # differences in a message
WORDS = 60  # characters of an array of text that are kept
FIGURES = 4  # of numbers in a rounded digest: few, so that round-off seldom crosses a half
ZERO = 1e-12  # below it a number is round-off of 0


def differences(before: Any, now: Any, tolerance: float = 0.0) -> list[str]:
    """Return a line for each difference: where it is, what was there, what is there now.

    >>> differences({"a": [1, 2.0]}, {"a": [1, 2.5], "b": 0})
    ['a/1: 2.0, now 2.5', 'b: not there before, now 0']

    Numbers may differ by `tolerance`, as a part of the larger one; words may not. Where digests
    stand, the exact ones count if the tolerance is 0, else the rounded ones.
    """
    return list(_differences(before, now, tolerance, ""))


def told(found: list[str]) -> str:
    """Put differences into a message."""
    left = len(found) - SHOWN
    return "\n".join([*found[:SHOWN], *([f"and {left} more"] if left > 0 else [])])


def digest(content: bytes) -> str:
    """Return a digest that no other content has."""
    return hashlib.sha256(content).hexdigest()


def digests(document: Any) -> dict[str, str]:
    """Return the digest of a document, and that of it with its numbers rounded.

    >>> one, other = digests([0.1 + 0.2]), digests([0.3])
    >>> one["exact"] == other["exact"], one["rounded"] == other["rounded"]
    (False, True)
    """
    texts = (json.dumps(each, sort_keys=True) for each in (document, _rounded(document)))
    exact, rounded = (digest(text.encode()) for text in texts)
    return {"exact": exact, "rounded": rounded}


def array(values: Any) -> dict[str, Any]:
    """Describe an array: its type, shape and ends, and the digest of its bytes.

    >>> array(np.array([[1.0, 2.5, np.nan]], np.float32))["is"]
    'float32 1x3, 1.0 to 2.5, 1 not finite'
    """
    values = np.ascontiguousarray(values)
    shape = "x".join(map(str, values.shape)) or "one"
    if values.dtype.kind in "USO":
        words = json.dumps([str(each) for each in values.ravel().tolist()])
        return {"is": f"text {shape}, {words[:WORDS]}", "sha256": digest(words.encode())}
    finite = values[np.isfinite(values)]
    ends = f", {finite.min().item()} to {finite.max().item()}" if finite.size else ""
    lost = f", {values.size - finite.size} not finite" if values.size > finite.size else ""
    little = values.astype(values.dtype.newbyteorder("<"))
    return {"is": f"{values.dtype.name} {shape}{ends}{lost}", "sha256": digest(little.tobytes())}


def _differences(before: Any, now: Any, tolerance: float, place: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        if tolerance and before.keys() == now.keys() == {"exact", "rounded"}:
            before, now = before["rounded"], now["rounded"]
            if before != now:
                yield _line(f"{place}/rounded", before, now)
            return
        for name in dict.fromkeys([*before, *now]):
            where = f"{place}/{name}".lstrip("/")
            if name not in now:
                yield f"{where}: {_short(before[name])}, now not there"
            elif name not in before:
                yield f"{where}: not there before, now {_short(now[name])}"
            else:
                yield from _differences(before[name], now[name], tolerance, where)
    elif isinstance(before, list) and isinstance(now, list):
        if len(before) != len(now):
            yield f"{place}: {len(before)} entries, now {len(now)}"
        for number, (one, other) in enumerate(zip(before, now, strict=False)):
            yield from _differences(one, other, tolerance, f"{place}/{number}".lstrip("/"))
    elif not _equal(before, now, tolerance):
        yield _line(place, before, now)


def _equal(before: Any, now: Any, tolerance: float) -> bool:
    numbers = isinstance(before, float) and isinstance(now, int | float)
    if tolerance and numbers and not isinstance(now, bool):
        return before == now or math.isclose(before, now, rel_tol=tolerance, abs_tol=ZERO)
    if isinstance(before, float) and isinstance(now, float) and math.isnan(before):
        return math.isnan(now)
    return type(before) is type(now) and before == now


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    if isinstance(value, float) and math.isfinite(value):
        return 0.0 if abs(value) < ZERO else float(f"{value:.{FIGURES}g}")
    return value


def _line(place: str, before: Any, now: Any) -> str:
    return f"{place}: {_short(before)}, now {_short(now)}"


def _short(value: Any, most: int = 200) -> str:
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]} ..."
