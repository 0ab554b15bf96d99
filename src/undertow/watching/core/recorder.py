"""Hands the recorded steps of a watched run to its sinks: memory or a store, and any others.

A thread of its own does so where a sink may have to wait. What waits for it is bounded; where the
store cannot be written (a full disk), training goes on, one line says so, and the trace says which
steps it lacks. Any other sink that fails is dropped, after one line.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from time import monotonic, thread_time

import numpy as np

from undertow.errors import UndertowError
from undertow.trace.record import Chunk, Event, Header, Trace, build
from undertow.trace.sink import Keeper, Sink
from undertow.trace.sinks.memory import Memory
from undertow.trace.store.writer import FLUSH_SECONDS
from undertow.watching.core.log import LOG
from undertow.watching.core.rows import StepRow, as_chunk

PACKED = 256  # rows that are joined, in memory, to arrays
WAITING = 1000  # rows that wait for the store at most
DROPPED = "undertow: training goes on, but without the sink %s (%s: %s)"


class Recorder:
    """The rows and events of one run, on their way to `keeper` and to `others`.

    Raises
    ------
    StoreError
        The store cannot be used, or holds a run of that name.
    """

    def __init__(
        self, header: Header, keeper: Keeper, others: Sequence[Sink] = (), *, dtype: np.dtype
    ) -> None:
        self.header, self.keeper = header, keeper
        self._others, self._dtype = list(others), dtype
        self.seconds = 0.0  # that the thread took
        self.count = 0  # rows that were put
        self._sizes: dict[tuple[str, ...], int] = {}  # of rows, by what they hold
        self._waiting_size = 0
        self._rows: deque[StepRow] = deque()  # that no sink has yet
        self._events: deque[Event] = deque()
        self._left: deque[StepRow] = deque()  # that the keeper alone has not
        self._lost: list[int] = []
        self._warned = self._closed = False
        self._failing = False  # the keeper: while it does not, a sink that is slow loses nothing
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._job: Future[None] | None = None
        self._flushed = monotonic() - FLUSH_SECONDS
        if others or not isinstance(keeper, Memory):
            self._pool = ThreadPoolExecutor(1, "undertow")
        try:
            self._do(self._begin)
        except BaseException:
            self._shutdown()
            raise

    @property
    def size(self) -> int:
        """Bytes that the run takes so far."""
        return self.keeper.size + self._waiting_size

    def put(self, row: StepRow) -> None:
        """Take a row; never waits."""
        self.count += 1
        with self._lock:
            self._rows.append(row)
            if not self._pool:
                self._waiting_size += self._size(row)
            while self._failing and len(self._rows) + len(self._left) > WAITING:
                self._lost.append((self._left or self._rows).popleft().step)
        if not self._pool:
            if len(self._rows) == PACKED:
                self._flush()
        elif monotonic() - self._flushed > FLUSH_SECONDS and (
            self._job is None or self._job.done()
        ):
            self._job = self._pool.submit(self._flush)

    def note(self, event: Event) -> None:
        """Take an event; never waits."""
        with self._lock:
            self._events.append(event)

    def relabel(self, header: Header) -> None:
        """Replace what is known of the run, before its first row."""
        self.header = header
        if self._pool:
            self._pool.submit(self._relabel)
        else:
            self._relabel()

    def finish(self, state: str, header: Header) -> None:
        """Hand over what waits, and close the run."""
        self.header = header
        self._do(partial(self._finish, state))
        self._shutdown()

    def trace(self, last: Sequence[StepRow] = ()) -> Trace:
        """Return the run as far as it is recorded, and `last`, which is not yet put."""
        if self._pool and not self._closed:
            self._do(self._flush)
        with self._lock:
            rows = [*self._left, *self._rows, *last]
            events = [*self._events, *_lost_event(self._lost)]
        try:
            chunks, kept = self.keeper.chunks(), self.keeper.events()
        except UndertowError as error:  # the disk took even what was written
            self._warn(error)
            chunks, kept = [], ()
        chunks += [self._chunk(rows)] if rows else []
        return build(self.header, chunks, (*kept, *events))

    def _do(self, task: Callable[[], None]) -> None:
        """Run what sinks do: in the thread, where there is one, for SQLite wants one thread."""
        if self._pool:
            self._pool.submit(task).result()
        else:
            task()

    def _shutdown(self) -> None:
        if self._pool:
            self._pool.shutdown()
        self._closed = True

    def _begin(self) -> None:
        self.keeper.begin(self.header)
        self._tell(lambda sink: sink.begin(self.header))

    def _relabel(self) -> None:
        try:
            self.keeper.relabel(self.header)
        except Exception as error:
            self._warn(error)
        self._tell(lambda sink: sink.relabel(self.header))

    def _flush(self) -> None:
        """Hand over all that waits; what the keeper cannot take goes on waiting."""
        begun = thread_time()
        with self._lock:
            new, events = list(self._rows), list(self._events)
            rows = [*self._left, *new]
            for each in (self._rows, self._events, self._left):
                each.clear()
            self._waiting_size = 0
        for event in events:
            self.keeper.event(event)
            self._tell(lambda sink, event=event: sink.event(event))
        try:  # whatever it raises, training goes on and the rows are kept
            if rows:
                self.keeper.rows(self._chunk(rows))
                self._say_lost()
                self._failing = False
        except Exception as error:
            self._failing = True
            with self._lock:
                self._left.extendleft(reversed(rows))
            self._warn(error)
        if new and self._others:
            chunk = self._chunk(new)
            self._tell(lambda sink: sink.rows(chunk))
        self._flushed = monotonic()
        self.seconds += thread_time() - begun

    def _finish(self, state: str) -> None:
        self._flush()
        self._relabel()
        try:
            self.keeper.finish(state)
        except Exception as error:
            self._warn(error)
        self._tell(lambda sink: sink.finish(state))

    def _tell(self, what: Callable[[Sink], None]) -> None:
        """Tell the sinks beside the keeper; drop one that fails."""
        for sink in list(self._others):
            try:
                what(sink)
            except Exception as error:
                self._others.remove(sink)
                LOG.warning(DROPPED, type(sink).__name__, type(error).__name__, error)

    def _chunk(self, rows: Iterable[StepRow]) -> Chunk:
        return as_chunk(rows, self._dtype)

    def _size(self, row: StepRow) -> int:
        kind = tuple(row.values)
        if kind not in self._sizes:
            self._sizes[kind] = row.size
        return self._sizes[kind]

    def _say_lost(self) -> None:
        """Note the steps for which there was no room, now that others can be written again."""
        with self._lock:
            for event in _lost_event(self._lost):
                self.keeper.event(event)
            self._lost.clear()

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
