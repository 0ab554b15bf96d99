"""A store's file while it is open: queries, and transactions that are whole or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from undertow.trace.store.database import one_line


class OpenFile:
    """A file of SQLite's; close it, or use it in a `with`."""

    def __init__(self, path: Path, connection: sqlite3.Connection):
        self.path = path
        self._connection = connection
        self._at_once = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def select(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return all rows that a query of SQLite's finds."""
        with one_line(self.path):
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def at_once(self) -> Generator[None]:
        """Write all that is written inside, or none of it.

        Flush writers before: what they hold would be rolled back with the rest, and not come again.
        """
        with self.writing():
            self._at_once = True
            try:
                yield
            finally:
                self._at_once = False

    @contextmanager
    def writing(self) -> Generator[sqlite3.Connection]:
        """Lend the connection for one transaction, which is taken back if anything fails."""
        if self._at_once:  # which commits
            yield self._connection
            return
        with one_line(self.path):
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.commit()
            except BaseException:
                self._connection.rollback()
                raise
