"""What `undertow watch` does: read the end of a run again and again, and draw it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from undertow.errors import SpecError
from undertow.numerals import without_nan
from undertow.show.terminal.live_document import WatchDocument
from undertow.trace.store import tail
from undertow.trace.store.reader import Run, Store
from undertow.trace.store.reader import open as open_store

if TYPE_CHECKING:
    from rich.console import Console, Group

REFRESH_SECONDS = 0.5
STEPS = 8  # read at a time: a variable that none of them has is left out
POINTS = 30  # of the curve of the loss
SHARE = 0.1  # of one core, at most: the training beside it needs them


class Snapshot(NamedTuple):
    """A run at one moment."""

    document: WatchDocument
    losses: list[float]


def which_store(path: str | None, option: str | None, default: str) -> str:
    """Return the store named, by either way."""
    if path and option and path != option:
        raise SpecError(f"two stores, {path} and --store {option}: name one")
    return path or option or default


def document(path: str, run: str | None) -> WatchDocument:
    """Return the newest step of a run as a JSON document."""
    with open_store(path) as store:
        return without_nan(snapshot(store, _choose_run(store, run)).document)


def follow(path: str, run: str | None, *, once: bool) -> None:
    """Show a run until it ends; once where that is asked for or nothing can be drawn over."""
    from rich.console import Console
    from rich.live import Live

    console = Console(markup=False, highlight=False, emoji=False)
    steady = once or not console.is_terminal or console.is_dumb_terminal
    with open_store(path) as store:
        chosen = _choose_run(store, run)
        now = snapshot(store, chosen)
        try:
            if not steady and _is_written(now):
                with Live(console=console, screen=True, auto_refresh=False) as live:
                    while _is_written(now):
                        began = time.monotonic()
                        live.update(_draw(now, console, console.height), refresh=True)
                        now = snapshot(store, chosen)
                        spent = time.monotonic() - began
                        time.sleep(max(REFRESH_SECONDS, spent / SHARE))
        finally:  # the screen is the user's again: leave there what was seen last
            console.print(_draw(now, console))


def _choose_run(store: Store, run: str | None) -> Run:
    return tail.newest(store) if run is None else store.run(run)


def snapshot(store: Store, run: Run) -> Snapshot:
    """Read the end of a run as it is now."""
    from undertow.show.terminal import live

    # The state first: of a run that has ended, what is read after it is all there is.
    now = run._replace(state=tail.state(store, run.id))
    trace = tail.latest(store, run.id, steps=STEPS)
    losses = tail.course(store, run.id, points=POINTS).values.tolist()
    return Snapshot(live.document(now, trace, tail.events(store, run.id)), losses)


def _is_written(now: Snapshot) -> bool:
    return now.document["state"] == "running"


def _draw(now: Snapshot, console: Console, height: int | None = None) -> Group:
    from undertow.show.terminal import live

    return live.view(now.document, now.losses, width=console.width, height=height)
