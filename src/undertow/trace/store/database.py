"""The SQLite file under a store: made in one transaction, refused where it is not one of ours."""

from __future__ import annotations

import os
import sqlite3
import time
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from undertow.errors import StoreError, StoreForeign, StoreMissing, StoreNewer

FORMAT = 1  # a store of a higher one is refused
APPLICATION = 0x554E4454  # "UNDT", in SQLite's header
BUSY_SECONDS = 30

_TABLES = f"""
CREATE TABLE runs (
  id TEXT PRIMARY KEY, key TEXT NOT NULL, name TEXT NOT NULL, created TEXT NOT NULL,
  state TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL, born TEXT NOT NULL,
  header TEXT NOT NULL);
CREATE TABLE shards (
  run TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE, first INTEGER NOT NULL,
  replicates INTEGER NOT NULL, finished INTEGER NOT NULL, seconds REAL NOT NULL,
  PRIMARY KEY (run, first)) WITHOUT ROWID;
CREATE TABLE chunks (
  run TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE, shard INTEGER NOT NULL,
  step INTEGER NOT NULL, variable TEXT NOT NULL, type TEXT NOT NULL, shape TEXT NOT NULL,
  data BLOB NOT NULL);
CREATE INDEX chunks_by_run ON chunks (run, shard, step);
CREATE TABLE artefacts (
  run TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE, shard INTEGER NOT NULL,
  name TEXT NOT NULL, type TEXT NOT NULL, shape TEXT NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY (run, shard, name));
CREATE TABLE events (
  run TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE, kind TEXT NOT NULL,
  step INTEGER NOT NULL, layer TEXT, replicate INTEGER, detail TEXT NOT NULL);
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {FORMAT};
"""


def connect(path: Path, *, create: bool) -> sqlite3.Connection:
    """Open the file of a store, and make its tables if it has none.

    Raises
    ------
    StoreMissing, StoreForeign, StoreNewer, StoreError
        In one line: what the file is, and what to type next.
    """
    missing = StoreMissing(
        f"no store at {path}: name one with --store, or make one with  undertow run moons"
    )
    if not path.exists() and not create:
        raise missing
    if path.is_dir():
        raise StoreForeign(f"{path} is a folder: name a file, for example {path / 'undertow.db'}")
    if path.exists():
        _refuse_foreign(path)
    try:
        with one_line(path):
            connection = sqlite3.connect(
                _address(path, create), timeout=BUSY_SECONDS, isolation_level=None, uri=True
            )
            try:
                _prepare(connection, path)
            except BaseException:
                connection.close()
                raise
    except StoreError:
        if not create and not path.exists():  # it went while it was being opened
            raise missing from None
        raise
    return connection


def _address(path: Path, create: bool) -> str:
    """Name the file to SQLite; in a folder that cannot be written, as one that nobody changes.

    Reading in write-ahead mode makes a file beside the store, which such a folder refuses. A store
    that is not to be made is never made: it may be gone since it was looked for.
    """
    whole = path.resolve()
    if create:
        return whole.as_uri()
    return whole.as_uri() + ("?mode=rw" if os.access(whole.parent, os.W_OK) else "?immutable=1")


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    if _is_blank(connection):
        _write_ahead(connection)
        connection.execute("BEGIN IMMEDIATE")
        if _is_blank(connection):  # another process may have been first
            for statement in _TABLES.split(";"):
                connection.execute(statement)
        connection.commit()
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found > FORMAT:
        raise StoreNewer(
            f"{path} is a store of format {found}, and this Undertow reads {FORMAT}: "
            "type  pip install --upgrade undertow"
        )
    # A power cut may lose the last flush in this mode; a killed process loses nothing.
    connection.execute("PRAGMA synchronous = NORMAL")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Change to write-ahead mode, for which SQLite does not wait while another process does so."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _is_blank(connection: sqlite3.Connection) -> bool:
    """Tell a file without content, as a process killed at its birth leaves it."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return tables == 0


def _refuse_foreign(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(100)
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}") from None
    if not head:
        return
    if len(head) < 100 or not head.startswith(b"SQLite format 3\0"):
        raise StoreForeign(f"{path} is not a store of Undertow's: name another file with --store")
    application, tables = int.from_bytes(head[68:72], "big"), int.from_bytes(head[40:44], "big")
    if application != APPLICATION and tables:  # the schema cookie is 0 while there is no table
        raise StoreForeign(
            f"{path} is an SQLite file, but not a store of Undertow's: name another with --store"
        )
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:
        return  # what lacks may lie in the log: a process was killed while it moved pages over
    page = int.from_bytes(head[16:18], "big")
    size = int.from_bytes(head[28:32], "big") * (65536 if page == 1 else page)
    if path.stat().st_size < size:
        raise StoreForeign(
            f"{path} is damaged: {path.stat().st_size:,} of {size:,} bytes are there. "
            "Restore it from a copy, or name another store with --store"
        )


@contextmanager
def one_line(path: Path) -> Generator[None]:
    """Turn SQLite's errors into one line of ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        said = str(error)
        if "full" in said:
            said = "the disk is full"
        elif "locked" in said:
            said = f"another process has been writing to it for {BUSY_SECONDS} seconds"
        elif "readonly" in said or "unable to open" in said:
            said = "the file or its folder cannot be written"
        raise StoreError(
            f"cannot use the store {path}: {said}. Name another with --store"
        ) from None
    except sqlite3.DatabaseError as error:
        raise StoreForeign(
            f"{path} is damaged ({error}): restore it from a copy, or name another with --store"
        ) from None


@contextmanager
def intact(path: Path) -> Generator[None]:
    """Turn what damaged content raises, as it is decoded, into one line of ours."""
    try:
        yield
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise StoreForeign(
            f"{path} holds a damaged run ({type(error).__name__}: {error}): restore it from a "
            "copy, or name another with --store"
        ) from None
