"""Files that are whole or not there: what was there before stays until the new one is written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write(path: Path, content: bytes) -> None:
    """Write a file beside its place, then put it there; after an error nothing is left.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "figure.svg")
    ...     write(path, b"<svg/>")
    ...     path.read_bytes(), [each.name for each in path.parent.iterdir()]
    (b'<svg/>', ['figure.svg'])

    Raises
    ------
    OSError
        It cannot be written.
    """
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(part).chmod(0o644)
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
