"""Keeps the recorded steps of a watched run: in memory, or in a store that is written meanwhile.

A thread of its own writes to the store. What waits for it is bounded; where the store cannot be
written (a full disk), training goes on, one line says so, and the trace says which steps it lacks.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from time import monotonic, thread_time
from typing import NamedTuple

import numpy as np

from undertow.errors import StoreError, UndertowError
from undertow.trace.record import Chunk, Event, Header, Trace, build
from undertow.trace.schema import VARIABLES
from undertow.trace.store.reader import open as open_store
from undertow.trace.store.writer import CELL, FLUSH_SECONDS, Writer
from undertow.watching.core.log import LOG

PACKED = 256  # rows that are joined, in memory, to arrays
WAITING = 1000  # rows that wait for the store at most


ARRAY = 120  # bytes of an array or a number beside what it holds


class StepRow(NamedTuple):
    """One recorded step: an array [layers] or a number for each variable."""

    step: int
    epoch: int
    values: dict[str, np.ndarray | float]

    @property
    def size(self) -> int:
        """Return its bytes in memory."""
        return sum(ARRAY + getattr(value, "nbytes", 8) for value in self.values.values())


class Recorder:
    """The rows and events of one run.

    Raises
    ------
    StoreError
        The store cannot be used, or holds a run of that name.
    """

    def __init__(
        self, header: Header, store: str | Path | None, name: str, *, new: bool, dtype: np.dtype
    ) -> None:
        self.header, self.path, self.run = header, store, name
        self._dtype = dtype  # in which layers' numbers are kept
        self.seconds = 0.0  # that the thread took
        self.bytes = 0  # of what was put
        self.count = 0  # rows that were put
        self._sizes: dict[tuple[str, ...], int] = {}  # of rows, by what they hold
        self._rows: deque[StepRow] = deque()
        self._packed: list[Chunk] = []
        self._events: deque[Event] = deque()
        self._lost: list[int] = []
        self._warned = self._closed = False
        self._lock = threading.Lock()
        self._writer: Writer | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._job: Future[None] | None = None
        self._begun = monotonic()
        self._flushed = self._begun - FLUSH_SECONDS
        if store is not None:
            self._pool = ThreadPoolExecutor(1, "undertow")
            try:
                self._pool.submit(self._begin, Path(store), new).result()
            except BaseException:
                self._pool.shutdown()
                raise

    def put(self, row: StepRow) -> None:
        """Take a row; never waits."""
        self.count += 1
        if not self._pool:
            self._rows.append(row)
            self.bytes += self._size(row)
            if len(self._rows) == PACKED:
                (packed,) = self._chunks(self._rows)
                self._packed.append(packed)
                self.bytes -= sum(map(self._size, self._rows))
                self.bytes += sum(array.nbytes for array in packed.arrays.values())
                self._rows.clear()
            return
        with self._lock:
            self._rows.append(row)
            if len(self._rows) > WAITING:
                self._lost.append(self._rows.popleft().step)
        if monotonic() - self._flushed > FLUSH_SECONDS and self._idle():
            self._job = self._pool.submit(self._flush)

    def note(self, event: Event) -> None:
        """Take an event; never waits."""
        self.bytes += CELL
        with self._lock:
            self._events.append(event)

    def relabel(self, header: Header) -> None:
        """Replace what is known of the run, before its first row."""
        self.header = header
        if self._pool:
            self._pool.submit(self._relabel)

    def finish(self, state: str, header: Header) -> None:
        """Write what waits, and close the run."""
        self.header = header
        if self._pool:
            self._pool.submit(self._finish, state).result()
            self._pool.shutdown()
            self._closed = True

    def trace(self, last: Sequence[StepRow] = ()) -> Trace:
        """Return the run as far as it is recorded, and `last`, which is not yet put."""
        if self._pool is None:
            chunks = [*self._packed, *self._chunks([*self._rows, *last])]
            return build(self.header, chunks, tuple(self._events))
        if not self._closed:
            self._pool.submit(self._flush).result()
        with self._lock:
            rows, events, lost = list(self._rows), tuple(self._events), list(self._lost)
        try:
            with open_store(str(self.path)) as store:
                kept = store.chunks(self.run)
                kept_events = store.events(self.run)
        except UndertowError as error:  # the disk took even what was written
            self._warn(error)
            kept, kept_events = [], ()
        return build(
            self.header,
            [*kept, *self._chunks([*rows, *last])],
            (*kept_events, *events, *_lost_event(lost)),
        )

    def _size(self, row: StepRow) -> int:
        kind = tuple(row.values)
        if kind not in self._sizes:
            self._sizes[kind] = row.size
        return self._sizes[kind]

    def _idle(self) -> bool:
        return self._job is None or self._job.done()

    def _begin(self, path: Path, new: bool) -> None:
        store = open_store(path, create=True)
        try:
            if not new:
                self.run = store.new_id(self.run)
            self._writer = store.begin(self.run, self.run, self.run, self.header, again=False)
        except BaseException:
            store.close()
            raise

    def _relabel(self) -> None:
        assert self._writer
        try:
            self._writer.relabel(self.header)
        except StoreError as error:
            self._warn(error)

    def _flush(self) -> None:
        """Write all that waits, in the thread; what cannot be written goes on waiting."""
        assert self._writer
        begun = thread_time()
        with self._lock:
            rows, events, lost = list(self._rows), list(self._events), list(self._lost)
            for each in (self._rows, self._events, self._lost):
                each.clear()
        try:
            if rows or events or lost:
                self.bytes += self._writer.write(self._chunks(rows), [*events, *_lost_event(lost)])
        except Exception as error:  # whatever it was, training goes on and the rows are kept
            with self._lock:
                self._rows.extendleft(reversed(rows))
                self._events.extendleft(reversed(events))
                self._lost[:0] = lost
            self._warn(error)
        self._flushed = monotonic()
        self.seconds += thread_time() - begun

    def _finish(self, state: str) -> None:
        assert self._writer
        self._flush()
        try:
            self._writer.relabel(self.header)
            self._writer.close(state, monotonic() - self._begun)
        except StoreError as error:
            self._warn(error)
        self._writer.store.close()

    def _chunks(self, rows: Iterable[StepRow]) -> list[Chunk]:
        """Join rows into one chunk; NaN where a row lacks what another has."""
        rows = list(rows)
        if not rows:
            return []
        arrays: dict[str, np.ndarray] = {}
        for name in dict.fromkeys(name for row in rows for name in row.values):
            example = next(row.values[name] for row in rows if name in row.values)
            nothing = np.full_like(np.asarray(example, float), np.nan)
            array = np.stack([row.values.get(name, nothing) for row in rows])
            if "layer" in VARIABLES[name].dims:
                with np.errstate(over="ignore"):  # beyond float32 a norm is Inf, `nonfinite` is 0
                    array = array.astype(self._dtype)
            arrays[name] = array[None] if VARIABLES[name].dims[0] == "replicate" else array
        steps, epochs = (
            np.array(column) for column in zip(*(row[:2] for row in rows), strict=True)
        )
        return [Chunk(steps, epochs, arrays)]

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            LOG.warning("undertow: training goes on, but the trace will lack steps (%s)", error)


def _lost_event(steps: Sequence[int]) -> list[Event]:
    if not steps:
        return []
    detail = (
        f"{len(steps)} recorded steps, the last step {steps[-1]}: the store could not be written"
    )
    return [Event("lost", steps[0], detail=detail)]
