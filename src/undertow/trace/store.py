"""Many runs in one SQLite file: written a flush at a time, readable meanwhile, safe to kill.

A run consists of shards, blocks of replicates that are trained one after the other. Each flush is
one transaction in write-ahead-log mode, so a process killed at any instant loses at most what it
had not flushed. Nothing is pickled: arrays are bytes with a type and a shape beside them.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from undertow.errors import RunMissing, StoreError, StoreForeign, StoreMissing, StoreNewer
from undertow.trace.record import Chunk, Event, Header, Layer, Trace, build
from undertow.trace.schema import ARTEFACTS, VARIABLES

FORMAT = 1  # a store of a higher one is refused
APPLICATION = 0x554E4454  # "UNDT", in SQLite's header
FLUSH_SECONDS = 0.5
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


class Run(NamedTuple):
    """One run as `Store.runs` lists it; `state` is running, finished or interrupted."""

    id: str
    name: str
    state: str
    created: str
    replicates: int
    finished_replicates: int
    seconds: float
    source: str
    attributes: dict[str, Any]


class Store:
    """Runs in one file. Made by `undertow.open`; close it, or use it in a `with`.

    >>> import tempfile, undertow as ut
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with ut.open(folder + "/runs.db", create=True) as store:
    ...         store.runs()
    []
    """

    def __init__(self, path: Path, connection: sqlite3.Connection):
        self.path = path
        self._connection = connection

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def runs(self) -> list[Run]:
        """All runs, the newest last."""
        rows = self._all(
            "SELECT id, name, state, created, host, pid, born, header, "
            " (SELECT coalesce(sum(replicates), 0) FROM shards WHERE run = id AND finished), "
            " (SELECT coalesce(sum(seconds), 0) FROM shards WHERE run = id AND finished) "
            "FROM runs ORDER BY created, rowid"
        )
        found = []
        for run, name, state, created, host, pid, born, header, done, seconds in rows:
            content = json.loads(header)
            attributes = content["attributes"]
            alive = state != "running" or _is_alive(host, pid, born)
            found.append(
                Run(
                    run,
                    name,
                    state if alive else "interrupted",
                    created,
                    len(content["seeds"]),
                    done,
                    seconds,
                    attributes["source"],
                    attributes,
                )
            )
        return found

    def run(self, run: str) -> Run:
        """One run by its id, or by the beginning of its id if only one begins so.

        Raises
        ------
        RunMissing
            No run, or several, begin so.
        """
        runs = self.runs()
        exact = [found for found in runs if found.id == run]
        near = exact or [found for found in runs if run and found.id.startswith(run)]
        if len(near) == 1:
            return near[0]
        known = ", ".join(found.id for found in (near or runs)[:8]) or "none"
        what = "stands for several runs" if near else "is not in the store"
        raise RunMissing(f"run '{run}' {what} {self.path}: {known}. Type  undertow runs")

    def trace(self, run: str) -> Trace:
        """Read a run, as far as it has been flushed."""
        run = self.run(run).id
        header = self._header(run)
        chunks = self._all(
            "SELECT shard, step, variable, type, shape, data FROM chunks WHERE run = ? "
            "ORDER BY shard, rowid",
            run,
        )
        artefacts: dict[str, list[np.ndarray]] = {}
        for name, type_, shape, data in self._all(
            "SELECT name, type, shape, data FROM artefacts WHERE run = ? ORDER BY shard", run
        ):
            artefacts.setdefault(name, []).append(_unpacked(type_, shape, data))
        events = self._all(
            "SELECT kind, step, layer, replicate, detail FROM events WHERE run = ? ORDER BY rowid",
            run,
        )
        return build(
            header,
            _chunks(chunks),
            [Event(*event) for event in events],
            {name: _joined(name, parts) for name, parts in artefacts.items()},
        )

    def latest(self, key: str) -> Run | None:
        """Return the newest run with this key: the same networks, training, data and seeds."""
        rows = self._all("SELECT id FROM runs WHERE key = ? ORDER BY created, rowid", key)
        return self.run(rows[-1][0]) if rows else None

    def begin(self, run: str, key: str, name: str, header: Header) -> Writer:
        """Start a run, or take up one that was interrupted.

        Raises
        ------
        StoreError
            The run is being written by another process.
        """
        here = (socket.gethostname(), os.getpid(), _born(os.getpid()))
        with self._writing() as connection:
            row = connection.execute(
                "SELECT state, host, pid, born FROM runs WHERE id = ?", (run,)
            ).fetchone()
            if row and row[0] == "running" and row[1:] != here and _is_alive(*row[1:]):
                raise StoreError(
                    f"run {run} is being written by process {row[2]} on {row[1]}: wait for it, or "
                    "name another store with --store"
                )
            now = datetime.now(UTC).isoformat(timespec="microseconds")
            connection.execute(
                "INSERT INTO runs VALUES (?, ?, ?, ?, 'running', ?, ?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET state = 'running', host = excluded.host, "
                "pid = excluded.pid, born = excluded.born",
                (run, key, name, now, *here, _header_json(header)),
            )
            for table in ("chunks", "artefacts"):
                connection.execute(
                    f"DELETE FROM {table} WHERE run = ? AND shard NOT IN "
                    "(SELECT first FROM shards WHERE run = ? AND finished)",
                    (run, run),
                )
        return Writer(self, run)

    def finished_shards(self, run: str) -> list[int]:
        """Return the first replicate of each shard that is whole."""
        return [
            first
            for (first,) in self._all(
                "SELECT first FROM shards WHERE run = ? AND finished ORDER BY first", run
            )
        ]

    def new_id(self, stem: str) -> str:
        """Return `stem`, or `stem-2`, `stem-3` ... where that is taken."""
        taken = {run for (run,) in self._all("SELECT id FROM runs")}
        number, candidate = 1, stem
        while candidate in taken:
            number += 1
            candidate = f"{stem}-{number}"
        return candidate

    def _header(self, run: str) -> Header:
        ((text,),) = self._all("SELECT header FROM runs WHERE id = ?", run)
        content = json.loads(text)
        return Header(
            tuple(Layer(**layer) for layer in content["layers"]),
            tuple(content["seeds"]),
            content["attributes"],
        )

    def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with _one_line(self.path):
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with _one_line(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()


class Writer:
    """The one writer of a run: takes chunks, flushes them every half second."""

    def __init__(self, store: Store, run: str):
        self.store, self.run = store, run
        self._waiting: list[tuple[int, Chunk]] = []
        self._flushed = time.monotonic()

    def append(self, shard: int, chunk: Chunk) -> None:
        """Take a chunk of the shard that begins at replicate `shard`."""
        self._waiting.append((shard, chunk))
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what waits, in one transaction."""
        rows = [
            (self.run, shard, int(chunk.steps[0]), name, *_packed(array))
            for shard, chunk in _merged(self._waiting)
            for name, array in (
                ("step", chunk.steps),
                ("epoch", chunk.epochs),
                *chunk.arrays.items(),
            )
        ]
        with self.store._writing() as connection:
            connection.executemany("INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        self._waiting.clear()
        self._flushed = time.monotonic()

    def finish_shard(
        self, shard: int, replicates: int, seconds: float, artefacts: Mapping[str, np.ndarray]
    ) -> None:
        """Flush, and mark a shard as whole; what is whole is never trained again."""
        self.flush()
        with self.store._writing() as connection:
            connection.executemany(
                "INSERT INTO artefacts VALUES (?, ?, ?, ?, ?, ?)",
                [(self.run, shard, name, *_packed(array)) for name, array in artefacts.items()],
            )
            connection.execute(
                "INSERT INTO shards VALUES (?, ?, ?, 1, ?)", (self.run, shard, replicates, seconds)
            )

    def abandon(self) -> None:
        """Keep what there is and list the run as interrupted; never hide what interrupted it."""
        with suppress(StoreError):
            self.finish("interrupted")

    def finish(self, state: str = "finished", events: tuple[Event, ...] = ()) -> None:
        """Close the run as `finished` or `interrupted`."""
        self.flush()
        with self.store._writing() as connection:
            connection.execute("DELETE FROM events WHERE run = ?", (self.run,))
            connection.executemany(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)",
                [(self.run, *event) for event in events],
            )
            connection.execute("UPDATE runs SET state = ? WHERE id = ?", (state, self.run))


def open(path: str | Path, *, create: bool = False) -> Store:
    """Open a store.

    >>> import undertow as ut
    >>> ut.open("nowhere.db")
    Traceback (most recent call last):
    ...
    undertow.errors.StoreMissing: no store at nowhere.db: name one with --store, or make one ...

    Raises
    ------
    StoreMissing
        No file there, and `create` is false.
    StoreForeign
        A file that is not a store, or a damaged one.
    StoreNewer
        A store of a newer Undertow.
    """
    path = Path(path)
    if not path.exists() and not create:
        raise StoreMissing(
            f"no store at {path}: name one with --store, or make one with  undertow run moons"
        )
    if path.is_dir():
        raise StoreForeign(f"{path} is a folder: name a file, for example {path / 'undertow.db'}")
    if path.exists():
        _refuse_foreign(path)
    with _one_line(path):
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return Store(path, connection)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    if _is_blank(connection):
        connection.execute("PRAGMA journal_mode = WAL")
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
    page = int.from_bytes(head[16:18], "big")
    size = int.from_bytes(head[28:32], "big") * (65536 if page == 1 else page)
    if path.stat().st_size < size:
        raise StoreForeign(
            f"{path} is damaged: {path.stat().st_size:,} of {size:,} bytes are there. "
            "Restore it from a copy, or name another store with --store"
        )


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
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


def _packed(array: np.ndarray) -> tuple[str, str, bytes]:
    """Pack an array: bytes of equal significance beside each other, which zlib packs best."""
    array = np.ascontiguousarray(array)
    planes = array.view(np.uint8).reshape(-1, array.itemsize).T
    return (
        array.dtype.newbyteorder("<").str,
        json.dumps(array.shape),
        zlib.compress(planes.tobytes(), 1),
    )


def _unpacked(type_: str, shape: str, data: bytes) -> np.ndarray:
    kind = np.dtype(type_)
    planes = np.frombuffer(zlib.decompress(data), np.uint8).reshape(kind.itemsize, -1)
    return np.ascontiguousarray(planes.T).view(kind).reshape(json.loads(shape))


def _merged(waiting: list[tuple[int, Chunk]]) -> Iterator[tuple[int, Chunk]]:
    """Join the waiting chunks of each shard along their steps."""
    for shard in sorted({shard for shard, _ in waiting}):
        chunks = [chunk for of, chunk in waiting if of == shard and len(chunk.steps)]
        if not chunks:
            continue
        arrays = {
            name: np.concatenate(
                [chunk.arrays[name] for chunk in chunks], VARIABLES[name].dims.index("step")
            )
            for name in chunks[0].arrays
        }
        steps = np.concatenate([chunk.steps for chunk in chunks])
        yield shard, Chunk(steps, np.concatenate([chunk.epochs for chunk in chunks]), arrays)


def _chunks(rows: list[tuple[Any, ...]]) -> list[Chunk]:
    """Put the rows of each flush back together."""
    groups: dict[tuple[int, int], dict[str, np.ndarray]] = {}
    for shard, step, variable, type_, shape, data in rows:
        groups.setdefault((shard, step), {})[variable] = _unpacked(type_, shape, data)
    return [
        Chunk(arrays.pop("step"), arrays.pop("epoch"), arrays, first_replicate=shard)
        for (shard, _), arrays in groups.items()
    ]


def _joined(name: str, parts: list[np.ndarray]) -> np.ndarray:
    """Join an artefact's shards along its replicates, where it has any."""
    dims = ARTEFACTS[name].dims
    return np.concatenate(parts, dims.index("replicate")) if "replicate" in dims else parts[0]


def _header_json(header: Header) -> str:
    return json.dumps(
        {
            "layers": [layer._asdict() for layer in header.layers],
            **{name: value for name, value in asdict(header).items() if name != "layers"},
        }
    )


def _is_alive(host: str, pid: int, born: str) -> bool:
    """Tell whether a run's writer still lives; of another machine's it cannot be known: yes."""
    if host != socket.gethostname():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return _born(pid) == born


def _born(pid: int) -> str:
    """Return when a process began, so that its number used again is not mistaken for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""
