"""Many runs in one SQLite file: written a flush at a time, readable meanwhile, safe to kill.

A run consists of shards, blocks of replicates that are trained one after the other. Each flush is
one transaction in write-ahead-log mode, so a process killed at any instant loses at most what it
had not flushed. Nothing is pickled: arrays are bytes with a type and a shape beside them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from undertow.errors import RunMissing, StoreError
from undertow.trace.record import Chunk, Event, Header, Layer, Trace, build
from undertow.trace.schema import OLD_NAMES
from undertow.trace.store.array_codec import decode_array
from undertow.trace.store.database import connect, intact
from undertow.trace.store.header_codec import header_json
from undertow.trace.store.joining import join_flushes, join_shards
from undertow.trace.store.open_file import OpenFile
from undertow.trace.store.process import Process, is_alive, this_process
from undertow.trace.store.writer import Writer


class Run(NamedTuple):
    """One run as `Store.runs` lists it; `state` is running, finished or interrupted.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open(f"{folder}/runs.db", create=True) as store:
    ...         header = Header((), (0, 1), {"source": "trained"})
    ...         store.begin("moons-relu", "key", "relu", header).finish()
    ...         run = store.run("moons")  # the beginning of its id is enough
    >>> run.id, run.state, run.replicates
    ('moons-relu', 'finished', 2)
    """

    id: str
    name: str
    state: str
    created: str
    replicates: int
    finished_replicates: int
    seconds: float
    source: str
    attributes: dict[str, Any]


class Store(OpenFile):
    """Runs in one file. Made by `undertow.open`; close it, or use it in a `with`.

    >>> import tempfile, undertow as ut
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with ut.open(f"{folder}/runs.db", create=True) as store:
    ...         for name in ("relu", "tanh"):
    ...             store.begin(name, name, name, Header((), (0,), {"source": "trained"})).finish()
    ...         [(run.id, run.state) for run in store.runs()]
    [('relu', 'finished'), ('tanh', 'finished')]
    """

    def runs(self) -> list[Run]:
        """All runs, the newest last."""
        rows = self.select(
            "SELECT id, name, state, created, host, pid, born, header, "
            " (SELECT coalesce(sum(replicates), 0) FROM shards WHERE run = id AND finished), "
            " (SELECT coalesce(sum(seconds), 0) FROM shards WHERE run = id AND finished) "
            "FROM runs ORDER BY created, rowid"
        )
        found: list[Run] = []
        for run, name, state, created, host, pid, born, header, done, seconds in rows:
            alive = state != "running" or is_alive(Process(host, pid, born))
            with intact(self.path):
                content = json.loads(header)
                found.append(
                    Run(
                        run,
                        name,
                        state if alive else "interrupted",
                        created,
                        len(content["seeds"]),
                        done,
                        seconds,
                        content["attributes"]["source"],
                        content["attributes"],
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

    def trace(
        self, run: str, *, most: int | None = None, chunks: Sequence[Chunk] | None = None
    ) -> Trace:
        """Read a run, as far as it has been flushed.

        With `most`, about so many packed bytes of it: evenly spaced flushes, always the first two
        and the last two. The attribute `thinned` then says that one in so many was read. With
        `chunks`, whoever wrote the run and still has them spares their reading.
        """
        run = self.run(run).id
        starts, thinned = (None, 1) if most is None else evenly_spaced(self._flushes(run), most)
        header = self.header(run)
        artefacts: dict[str, dict[int, np.ndarray]] = {}
        kept: list[tuple[int, str, str, str, bytes]] = self.select(
            "SELECT shard, name, type, shape, data FROM artefacts WHERE run = ? ORDER BY shard", run
        )
        with intact(self.path):
            for shard, name, type_, shape, data in kept:
                artefacts.setdefault(OLD_NAMES.get(name, name), {})[shard] = decode_array(
                    type_, shape, data
                )
        if thinned > 1:
            header = replace(header, attributes={**header.attributes, "thinned": thinned})
        return build(
            header,
            self.chunks(run, starts) if chunks is None else chunks,
            self.events(run),
            {name: join_shards(name, of, len(header.seeds)) for name, of in artefacts.items()},
        )

    def chunks(self, run: str, starts: Sequence[int] | None = None) -> list[Chunk]:
        """Read the arrays of a run, by its whole id, in the order in which they were written.

        With `starts`, of those flushes alone whose first step is among them.
        """
        some = "" if starts is None else "AND step IN (SELECT value FROM json_each(?)) "
        rows = self.select(
            f"SELECT shard, step, variable, type, shape, data FROM chunks WHERE run = ? {some}"
            "ORDER BY shard, rowid",
            *(run, *([] if starts is None else [json.dumps(list(starts))])),
        )
        return self.decoded(rows)

    def events(self, run: str) -> list[Event]:
        """Read the events of a run, by its whole id."""
        rows = self.select(
            "SELECT kind, step, layer, replicate, detail FROM events WHERE run = ? ORDER BY rowid",
            run,
        )
        return [Event(*row) for row in rows]

    def latest(self, key: str) -> Run | None:
        """Return the newest run with this key: the same networks, training, data and seeds."""
        rows = self.select("SELECT id FROM runs WHERE key = ? ORDER BY created, rowid", key)
        return self.run(rows[-1][0]) if rows else None

    def begin(self, run: str, key: str, name: str, header: Header, *, again: bool = True) -> Writer:
        """Start a run, or take up one that was interrupted if `again` allows it.

        Raises
        ------
        StoreError
            The run is being written by another process, or is there and is not to be taken up.
        """
        here = this_process()
        with self.writing() as connection:
            row = connection.execute(
                "SELECT state, host, pid, born FROM runs WHERE id = ?", (run,)
            ).fetchone()
            if row and not again:
                raise StoreError(
                    f"run '{run}' is in {self.path} already: give another name, or none"
                )
            if row and row[0] == "running" and row[1:] != here and is_alive(Process(*row[1:])):
                raise StoreError(
                    f"run {run} is being written by process {row[2]} on {row[1]}: wait for it, or "
                    "begin another with --fresh"
                )
            now = datetime.now(UTC).isoformat(timespec="microseconds")
            connection.execute(
                "INSERT INTO runs VALUES (?, ?, ?, ?, 'running', ?, ?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET state = 'running', host = excluded.host, "
                "pid = excluded.pid, born = excluded.born",
                (run, key, name, now, *here, header_json(header)),
            )
            for table in ("chunks", "artefacts"):
                connection.execute(
                    f"DELETE FROM {table} WHERE run = ? AND shard NOT IN "
                    "(SELECT first FROM shards WHERE run = ? AND finished)",
                    (run, run),
                )
        return Writer(self, run)

    def annotate(self, run: str, **attributes: object) -> None:
        """Add attributes to a run, by its whole id, that were not known before its first step."""
        with self.writing() as connection:
            header = self.header(run)
            text = header_json(replace(header, attributes={**header.attributes, **attributes}))
            connection.execute("UPDATE runs SET header = ? WHERE id = ?", (text, run))

    def finished_shards(self, run: str) -> list[int]:
        """Return the first replicate of each shard that is whole."""
        return [
            first
            for (first,) in self.select(
                "SELECT first FROM shards WHERE run = ? AND finished ORDER BY first", run
            )
        ]

    def new_id(self, stem: str) -> str:
        """Return `stem`, or `stem-2`, `stem-3` ... where that is taken."""
        taken = {run for (run,) in self.select("SELECT id FROM runs")}
        number, candidate = 1, stem
        while candidate in taken:
            number += 1
            candidate = f"{stem}-{number}"
        return candidate

    def _flushes(self, run: str) -> list[tuple[int, int]]:
        """Return the first step of each flush, and its bytes."""
        return self.select(
            "SELECT step, sum(length(data)) FROM chunks WHERE run = ? GROUP BY step ORDER BY step",
            run,
        )

    def decoded(self, rows: list[tuple[Any, ...]]) -> list[Chunk]:
        """Put rows (shard, step, variable, type, shape, data) back together, a chunk a flush."""
        with intact(self.path):
            return join_flushes(rows)

    def header(self, run: str) -> Header:
        """Read what was known of a run, by its whole id, before its first step."""
        ((text,),) = self.select("SELECT header FROM runs WHERE id = ?", run)
        with intact(self.path):
            content = json.loads(text)
            return Header(
                tuple(Layer(**layer) for layer in content["layers"]),
                tuple(content["seeds"]),
                content["attributes"],
            )


def evenly_spaced(flushes: Sequence[tuple[int, int]], most: int) -> tuple[list[int] | None, int]:
    """Return the first steps of the flushes to read, None for all, and that it is one in so many.

    >>> evenly_spaced([(step, 100) for step in range(1, 11)], most=400)
    ([1, 2, 4, 7, 9, 10], 3)
    """
    every = math.ceil(sum(size for _, size in flushes) / most)
    if every <= 1:
        return None, 1
    ends = range(len(flushes))
    chosen = sorted({*ends[::every], *ends[:2], *ends[-2:]})
    return [flushes[place][0] for place in chosen], every


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
    return Store(path, connect(path, create=create))
