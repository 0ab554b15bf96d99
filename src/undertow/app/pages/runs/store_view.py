"""The store as the page reads it: opened for each look, for it may have gone or grown meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from undertow.trace.record import Trace
from undertow.trace.schema import ARTEFACTS
from undertow.trace.store import tail
from undertow.trace.store.reader import Run, Store
from undertow.trace.store.reader import open as open_store

MOST = 8_000_000  # packed bytes of a run that are read: drawing more than that takes seconds


class ListedRun(NamedTuple):
    """A run in the list, and the last recorded step."""

    run: Run
    step: int | None


class SeenRun(NamedTuple):
    """A run that is looked at: replicates that have not come as far as the others are left out."""

    run: Run
    trace: Trace
    behind: int


def list_runs(path: str) -> list[ListedRun]:
    """Return the runs of a store, the newest first."""
    with open_store(path) as store:
        return [ListedRun(run, tail.last_step(store, run.id)) for run in reversed(store.runs())]


def choose_runs(path: str, names: Sequence[str]) -> list[str]:
    """Return the ids of the runs to look at: those named, else the newest.

    Raises
    ------
    RunMissing
        A name that is no run's, or a store without one.
    """
    with open_store(path) as store:
        return [store.run(name).id for name in names] or [tail.newest(store).id]


def state(path: str, runs: Sequence[str]) -> tuple[object, ...]:
    """Return what differs once there is something new to draw of these runs."""
    with open_store(path) as store:
        return tuple(
            (tail.state(store, run), tail.last_step(store, run), tail.event_count(store, run))
            for run in runs
        )


def contents(path: str) -> tuple[tuple[str, str], ...]:
    """Return ids and states: they differ once the list has another run, or one begins or ends."""
    with open_store(path) as store:
        return tuple((run.id, run.state) for run in store.runs())


def read_runs(path: str, runs: Sequence[str]) -> list[SeenRun]:
    """Read the runs."""
    with open_store(path) as store:
        return [_read_run(store, run) for run in runs]


def _read_run(store: Store, name: str) -> SeenRun:
    # The state first: of a run that has ended, what is read after it is all there is.
    run = store.run(name)
    trace = store.trace(name, most=MOST)
    here = _has_last_step(trace)
    return SeenRun(run, _of(trace, here), int((~here).sum()))


def _has_last_step(trace: Trace) -> np.ndarray:
    """Mark the replicates of which the last recorded step is there; [R] of bool."""
    data = trace.dataset
    here = np.zeros(data.sizes["replicate"], bool)
    if data.sizes["step"]:
        last = data.isel(step=-1)
        for array in last.data_vars.values():
            if "replicate" in array.dims:
                others = [dim for dim in array.dims if dim != "replicate"]
                here |= array.notnull().any(others).values
    return here


def _of(trace: Trace, here: np.ndarray) -> Trace:
    """Return the trace of some replicates; events of the others go with them."""
    if here.all() or not here.any():
        return trace
    places = np.flatnonzero(here)
    artefacts = {
        name: array.take(places, ARTEFACTS[name].dims.index("replicate"))
        if "replicate" in ARTEFACTS[name].dims
        else array
        for name, array in trace.artefacts.items()
    }
    new = {int(place): number for number, place in enumerate(places)}
    events = tuple(
        each._replace(replicate=new.get(each.replicate) if each.replicate is not None else None)
        for each in trace.events
        if each.replicate is None or each.replicate in new
    )
    return Trace(trace.dataset.isel(replicate=places), events, artefacts)
