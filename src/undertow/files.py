"""Files that are whole or not there: what was there before stays until the new one is written."""

from __future__ import annotations

import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
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
    with replacing(path) as part:
        part.write_bytes(content)
        part.chmod(0o644)


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """Give a free place beside a file; what is written there takes the file's place at the end.

    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "run.csv"
    >>> with replacing(path) as part:
    ...     _ = part.write_text("step,loss")
    >>> path.read_text()
    'step,loss'

    After an error what was there before stays, and nothing else is left.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink()
