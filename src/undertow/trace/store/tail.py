"""The end of a run, read without what came before: to follow a run costs the same at any length.

    newest       the run to look at where none is named
    state        whether it is still being written
    latest       the last recorded steps as a trace
    course       the loss at evenly spaced steps of the whole run
    events       the last events
    event_count  how many there are
    last_step    how far a run is
    shards       how far each of its shards is

A run is named by its whole id. Of a run of several shards the last one is read: the others are
whole, or not begun.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from undertow.errors import RunMissing
from undertow.trace.record import Event, Trace, build
from undertow.trace.store.array_codec import decode_array
from undertow.trace.store.database import intact
from undertow.trace.store.process import Process, is_alive
from undertow.trace.store.reader import Run, Store

_CHUNKS = (
    "SELECT shard, step, variable, type, shape, data FROM chunks WHERE run = ? AND shard = ? AND "
)


class Course(NamedTuple):
    """One number a step, at some of a run's steps."""

    steps: np.ndarray
    values: np.ndarray


def newest(store: Store) -> Run:
    """Return the newest run that is being written, else the newest.

    >>> import tempfile, undertow as ut
    >>> from undertow.trace.record import Header
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with ut.open(f"{folder}/runs.db", create=True) as store:
    ...         for name in ("first", "second", "third"):
    ...             writer = store.begin(name, name, name, Header((), (0,), {"source": "watched"}))
    ...             if name != "second":
    ...                 writer.finish()
    ...         newest(store).id  # the one that is still being written
    'second'

    Raises
    ------
    RunMissing
        The store holds no run.
    """
    runs = store.runs()
    if not runs:
        raise RunMissing(f"no run in {store.path} yet: begin one, then look again")
    return ([run for run in runs if run.state == "running"] or runs)[-1]


def state(store: Store, run: str) -> str:
    """Return running, finished or interrupted, without reading the headers of all other runs.

    >>> import tempfile, undertow as ut
    >>> from undertow.trace.record import Header
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with ut.open(f"{folder}/runs.db", create=True) as store:
    ...         writer = store.begin("net", "key", "net", Header((), (0,), {"source": "watched"}))
    ...         state(store, "net")
    ...         writer.finish()
    ...         state(store, "net")
    'running'
    'finished'

    Raises
    ------
    RunMissing
        It is not, or no longer, in the store.
    """
    rows = store.select("SELECT state, host, pid, born FROM runs WHERE id = ?", run)
    if not rows:
        raise RunMissing(f"run '{run}' is not in the store {store.path}. Type  undertow runs")
    ((written, *writer),) = rows
    return written if written != "running" or is_alive(Process(*writer)) else "interrupted"


def latest(store: Store, run: str, *, steps: int = 1) -> Trace:
    """Read the last recorded steps, so many or what the run has, without the run's events.

    >>> import tempfile, undertow as ut
    >>> from undertow.trace.record import Chunk, Header
    >>> losses = Chunk(np.arange(1, 4), np.ones(3, int), {"loss": np.array([[0.7, 0.4, 0.2]])})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with ut.open(f"{folder}/runs.db", create=True) as store:
    ...         writer = store.begin("net", "key", "net", Header((), (0,), {"source": "watched"}))
    ...         _ = writer.write([losses], [])
    ...         latest(store, "net", steps=2).dataset["loss"].values
    array([[0.4, 0.2]])
    """
    shard, first, left = _shard(store, run), 0, steps
    for step, shape in store.select(
        "SELECT step, shape FROM chunks WHERE run = ? AND shard = ? AND variable = 'step' "
        "ORDER BY step DESC LIMIT ?",
        *(run, shard, steps),
    ):
        first, left = step, left - json.loads(shape)[0]
        if left <= 0:
            break
    rows = store.select(_CHUNKS + "step >= ? ORDER BY step", run, shard, first)
    trace = build(store.header(run), store.decoded(rows))
    return replace(trace, dataset=trace.dataset.isel(step=slice(-steps, None)))


def course(store: Store, run: str, *, points: int = 40) -> Course:
    """Return the loss at so many evenly spaced steps, or fewer, of the shard's first replicate.

    >>> import tempfile, undertow as ut
    >>> from undertow.trace.record import Chunk, Header
    >>> steps = np.arange(1, 101)
    >>> losses = Chunk(steps, np.ones(100, int), {"loss": 1 / steps[None]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with ut.open(f"{folder}/runs.db", create=True) as store:
    ...         writer = store.begin("net", "key", "net", Header((), (0,), {"source": "watched"}))
    ...         _ = writer.write([losses], [])
    ...         course(store, "net", points=3)
    Course(steps=array([  1,  50, 100]), values=array([1.  , 0.02, 0.01]))

    Where a step is not recorded, the last one before it stands for it.
    """
    shard, last = _shard(store, run), last_step(store, run)
    wanted = np.unique(np.linspace(1, last or 1, points).astype(int))
    starts = {
        start
        for step in wanted.tolist()
        for (start,) in store.select(
            "SELECT max(step) FROM chunks WHERE run = ? AND shard = ? AND step <= ?",
            *(run, shard, step),
        )
        if start is not None
    }
    places = ", ".join("?" * len(starts))
    rows = store.select(
        _CHUNKS + f"step IN ({places}) AND variable IN ('step', 'epoch', 'loss') ORDER BY step",
        *(run, shard, *sorted(starts)),
    )
    chunks = [chunk for chunk in store.decoded(rows) if "loss" in chunk.arrays]
    if not chunks:
        return Course(np.zeros(0, int), np.zeros(0))
    steps = np.concatenate([chunk.steps for chunk in chunks])
    losses = np.concatenate([chunk.arrays["loss"][0] for chunk in chunks])
    found = np.unique(np.clip(np.searchsorted(steps, wanted, "right") - 1, 0, None))
    return Course(steps[found], losses[found])


def events(store: Store, run: str, *, most: int = 100) -> tuple[Event, ...]:
    """Return the events written last, in the order of their steps.

    >>> import tempfile, undertow as ut
    >>> from undertow.trace.record import Header
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with ut.open(f"{folder}/runs.db", create=True) as store:
    ...         writer = store.begin("net", "key", "net", Header((), (0,), {"source": "watched"}))
    ...         _ = writer.write([], [Event("clipped", step) for step in (3, 5, 9)])
    ...         [event.step for event in events(store, "net", most=2)]
    [5, 9]
    """
    rows = store.select(
        "SELECT kind, step, layer, replicate, detail FROM events WHERE run = ? "
        "ORDER BY rowid DESC LIMIT ?",
        *(run, most),
    )
    return tuple(sorted((Event(*row) for row in reversed(rows)), key=lambda event: event.step))


def event_count(store: Store, run: str) -> int:
    """Return how many events a run has so far.

    >>> import tempfile, undertow as ut
    >>> from undertow.trace.record import Header
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with ut.open(f"{folder}/runs.db", create=True) as store:
    ...         writer = store.begin("net", "key", "net", Header((), (0,), {"source": "watched"}))
    ...         _ = writer.write([], [Event("clipped", step) for step in (3, 5, 9)])
    ...         event_count(store, "net")
    3
    """
    ((count,),) = store.select("SELECT count(*) FROM events WHERE run = ?", run)
    return count


def last_step(store: Store, run: str) -> int | None:
    """Return the last recorded step; None where nothing is recorded yet.

    >>> import tempfile, undertow as ut
    >>> from undertow.trace.record import Chunk, Header
    >>> losses = Chunk(np.array([10, 20]), np.ones(2, int), {"loss": np.array([[0.7, 0.4]])})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with ut.open(f"{folder}/runs.db", create=True) as store:
    ...         writer = store.begin("net", "key", "net", Header((), (0,), {"source": "watched"}))
    ...         _ = writer.write([losses], [])
    ...         last_step(store, "net")
    20
    """
    rows = store.select(
        "SELECT type, shape, data FROM chunks WHERE run = ? AND shard = ? AND variable = 'step' "
        "ORDER BY step DESC LIMIT 1",
        *(run, _shard(store, run)),
    )
    with intact(store.path):
        return int(decode_array(*rows[0])[-1]) if rows else None


def shards(store: Store, run: str) -> dict[int, int]:
    """Return, for each shard by its first replicate, where its last flush begins, in steps.

    >>> import tempfile, undertow as ut
    >>> from undertow.trace.record import Chunk, Header
    >>> losses = Chunk(np.array([10, 20]), np.ones(2, int), {"loss": np.array([[0.7, 0.4]])})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with ut.open(f"{folder}/runs.db", create=True) as store:
    ...         writer = store.begin("net", "key", "net", Header((), (0, 1), {"source": "trained"}))
    ...         for first_replicate in (0, 1):
    ...             writer.append(first_replicate, losses)
    ...         writer.flush()
    ...         shards(store, "net")
    {0: 10, 1: 10}
    """
    rows = store.select("SELECT shard, max(step) FROM chunks WHERE run = ? GROUP BY shard", run)
    return dict(rows)


def _shard(store: Store, run: str) -> int | None:
    ((shard,),) = store.select("SELECT max(shard) FROM chunks WHERE run = ?", run)
    return shard
