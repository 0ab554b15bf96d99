"""A run written to a store while it goes on."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

from undertow.errors import UndertowError
from undertow.trace.record import Chunk, Event, Header
from undertow.trace.store.reader import open as open_store
from undertow.trace.store.writer import Writer


class StoreFile:
    """Write a run to a store, under `name`, or that and a number where `new` is False.

    >>> import tempfile
    >>> from undertow.trace.record import provenance
    >>> sink = StoreFile(Path(tempfile.mkdtemp()) / "runs.db", "my-net", new=True)
    >>> sink.begin(Header((), (0,), provenance("watched")))
    >>> sink.finish("finished")
    >>> with open_store(sink.path) as store:
    ...     [(run.id, run.state) for run in store.runs()]
    [('my-net', 'finished')]

    Raises
    ------
    StoreError
        In `begin`: the store cannot be used, or holds a run of that name. Later: it cannot be
        written; what was handed over with `rows` is then not in it, and can be offered again.
    """

    def __init__(self, path: str | Path, name: str, *, new: bool = False) -> None:
        self.path, self.run, self.size = Path(path), name, 0
        self._new, self._begun = new, monotonic()
        self._events: list[Event] = []  # that go with the next rows, in one transaction
        self._writer: Writer | None = None

    def begin(self, header: Header) -> None:
        store = open_store(self.path, create=True)
        try:
            if not self._new:
                self.run = store.new_id(self.run)
            self._writer = store.begin(self.run, self.run, self.run, header, again=False)
        except BaseException:
            store.close()
            raise

    def relabel(self, header: Header) -> None:
        self._open.relabel(header)

    def rows(self, chunk: Chunk) -> None:
        self._write([chunk])

    def event(self, event: Event) -> None:
        self._events.append(event)

    def finish(self, state: str) -> None:
        try:
            self._write([])
            self._open.close(state, monotonic() - self._begun)
        finally:
            self._open.store.close()
            self._writer = None

    def chunks(self) -> list[Chunk]:
        with open_store(self.path) as store:
            return store.chunks(self.run)

    def events(self) -> tuple[Event, ...]:
        try:
            with open_store(self.path) as store:
                return (*store.events(self.run), *self._events)
        except UndertowError:  # the disk took even what was written
            return tuple(self._events)

    @property
    def _open(self) -> Writer:
        assert self._writer, "begin comes first"
        return self._writer

    def _write(self, chunks: list[Chunk]) -> None:
        if chunks or self._events:
            self.size += self._open.write(chunks, self._events)
            self._events.clear()


SINK = StoreFile
