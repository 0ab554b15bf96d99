"""The one writer of a run in a store."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from functools import cache
from sqlite3 import Connection
from typing import Any, Protocol

import numpy as np

from undertow.errors import StoreError
from undertow.trace.record import Chunk, Event, Header
from undertow.trace.schema import VARIABLES
from undertow.trace.store.array_codec import encode_array
from undertow.trace.store.header_codec import header_json

FLUSH_SECONDS = 0.5
PACK_BYTES = 8_000_000  # so much is packed while the training goes on, not when it is written
CELL = 150  # bytes that SQLite takes for a row beside its array, at most

_INSERT_CHUNKS = "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?)"
_INSERT_EVENTS = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)"


class Transactions(Protocol):
    """What a writer needs of its store: a transaction at a time, and an end."""

    def writing(self) -> AbstractContextManager[Connection]: ...

    def close(self) -> None: ...


class Writer:
    """The one writer of a run: takes chunks, flushes them every half second.

    >>> import tempfile, undertow as ut
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with ut.open(f"{folder}/runs.db", create=True) as store:
    ...         writer = store.begin("net", "key", "net", Header((), (0,), {"source": "trained"}))
    ...         chunk = Chunk(np.array([1, 2]), np.array([1, 1]), {"loss": np.array([[0.7, 0.4]])})
    ...         writer.append(0, chunk)
    ...         writer.finish()
    ...         store.trace("net").dataset["loss"].values
    array([[0.7, 0.4]])
    """

    def __init__(self, store: Transactions, run: str):
        self.store, self.run = store, run
        self._waiting: list[tuple[int, Chunk]] = []
        self._bytes = 0
        self._packing: list[tuple[tuple[Any, ...], Future[tuple[str, str, bytes]]]] = []
        self._last_step = 0
        self._flushed = time.monotonic()

    def append(self, shard: int, chunk: Chunk) -> None:
        """Take a chunk of the shard that begins at replicate `shard`."""
        self._waiting.append((shard, chunk))
        self._bytes += sum(array.nbytes for array in chunk.arrays.values())
        self._last_step = int(chunk.steps[-1])
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()
        elif self._bytes > PACK_BYTES:
            self._pack()

    def flush(self) -> None:
        """Write what waits, in one transaction."""
        self._pack()
        rows = [(*names, *pack.result()) for names, pack in self._packing]
        with self.store.writing() as connection:
            connection.executemany(_INSERT_CHUNKS, rows)
        self._packing.clear()
        self._flushed = time.monotonic()

    def _pack(self) -> None:
        """Have what waits packed by other threads."""
        for shard, chunk in _merge(self._waiting):
            for names, array in _chunk_rows(self.run, shard, chunk):
                self._packing.append((names, packers().submit(encode_array, array)))
        self._waiting.clear()
        self._bytes = 0

    def write(self, chunks: Iterable[Chunk], events: Sequence[Event]) -> int:
        """Write steps and events of a run of one shard at once; return the bytes they take."""
        rows = [
            (*names, *encode_array(array))
            for chunk in chunks
            for names, array in _chunk_rows(self.run, 0, chunk)
        ]
        with self.store.writing() as connection:
            connection.executemany(_INSERT_CHUNKS, rows)
            connection.executemany(_INSERT_EVENTS, [(self.run, *event) for event in events])
        return sum(len(row[-1]) + CELL for row in rows) + CELL * len(events)

    def relabel(self, header: Header) -> None:
        """Replace what is known of the run: its layers show at its first step only."""
        with self.store.writing() as connection:
            connection.execute(
                "UPDATE runs SET header = ? WHERE id = ?", (header_json(header), self.run)
            )

    def close(self, state: str, seconds: float) -> None:
        """Close a run of one shard, one network, keeping its events."""
        with self.store.writing() as connection:
            connection.execute(
                "INSERT INTO shards VALUES (?, 0, 1, ?, ?)",
                (self.run, state == "finished", seconds),
            )
            connection.execute("UPDATE runs SET state = ? WHERE id = ?", (state, self.run))

    def finish_shard(
        self, shard: int, replicates: int, seconds: float, artefacts: Mapping[str, np.ndarray]
    ) -> None:
        """Flush, and mark a shard as whole; what is whole is never trained again."""
        self.flush()
        with self.store.writing() as connection:
            connection.executemany(
                "INSERT INTO artefacts VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (self.run, shard, name, *encode_array(array))
                    for name, array in artefacts.items()
                ],
            )
            connection.execute(
                "INSERT INTO shards VALUES (?, ?, ?, 1, ?)", (self.run, shard, replicates, seconds)
            )

    def abandon(self) -> None:
        """Keep what there is and list the run as interrupted; never hide what interrupted it."""
        with suppress(StoreError):
            self.finish("interrupted", (Event("interrupted", self._last_step),))

    def finish(self, state: str = "finished", events: tuple[Event, ...] = ()) -> None:
        """Close the run as `finished` or `interrupted`."""
        self.flush()
        with self.store.writing() as connection:
            connection.execute("DELETE FROM events WHERE run = ?", (self.run,))
            connection.executemany(_INSERT_EVENTS, [(self.run, *event) for event in events])
            connection.execute("UPDATE runs SET state = ? WHERE id = ?", (state, self.run))


@cache
def packers() -> ThreadPoolExecutor:
    """Return the threads of this process that pack what is to be written."""
    return ThreadPoolExecutor(thread_name_prefix="packing")  # zlib lets other threads run


if hasattr(os, "register_at_fork"):  # a forked process has the pool, and none of its threads
    os.register_at_fork(after_in_child=packers.cache_clear)


def _chunk_rows(run: str, shard: int, chunk: Chunk) -> list[tuple[tuple[Any, ...], np.ndarray]]:
    """Pair each array of a chunk with what names it in the store."""
    arrays = {"step": chunk.steps, "epoch": chunk.epochs, **chunk.arrays}
    return [((run, shard, int(chunk.steps[0]), name), array) for name, array in arrays.items()]


def _merge(waiting: list[tuple[int, Chunk]]) -> Iterator[tuple[int, Chunk]]:
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
