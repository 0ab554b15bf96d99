"""What the cells of the page of runs call: opening an address, the list, drawing and following."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from undertow.app.pages.kit import redraw, widgets
from undertow.app.pages.kit.request import page_context, query_words
from undertow.app.pages.runs import store_view
from undertow.app.pages.runs.store_view import ListedRun
from undertow.app.pages.runs.view import runs_view
from undertow.errors import RunMissing, UndertowError
from undertow.show.layer_profile import View

POLL = 0.5  # seconds between two looks at the store
SHARE = 0.5  # of the time, at most, that looking and drawing take: the training beside needs it
PAGE = 10  # runs of the list seen at once
MOST = 2  # runs side by side
WORDS = ("run", "against")


@dataclass
class Shown:
    """What the page looks at, which outlives a redraw: ids of runs, none for the newest."""

    path: str
    runs: list[str] = field(default_factory=list)
    list_: tuple[tuple[str, str], ...] = ()


def opening(mo: Any) -> Shown:
    """Return the store that the server was given, and the runs that the address names."""
    words = query_words(mo)
    return Shown(page_context(mo).store, [words[word] for word in WORDS if word in words])


def top(mo: Any, shown: Shown) -> Any:
    """Return the head of the page."""
    lead = (
        f"What the store {shown.path} holds, the newest first; a run that is being written is "
        "followed. Pick one, or two to compare."
    )
    return widgets.header(mo, "runs", lead)


def rows(shown: Shown) -> list[ListedRun]:
    """Return the list; empty where the store cannot be read, which the painter says."""
    shown.list_ = ()
    try:
        # Before the list is read: a run that begins between the two is then found to be new.
        shown.list_ = store_view.contents(shown.path)
        found = store_view.list_runs(shown.path)
    except UndertowError:
        return []
    if shown.runs:
        with suppress(UndertowError):  # an address may hold the beginning of an id
            shown.runs = store_view.choose_runs(shown.path, shown.runs)
    return found


def table(mo: Any, found: Sequence[ListedRun], shown: Shown) -> Any:
    """Return the list as a table in which runs are picked, those that are looked at already."""
    ids = [row.run.id for row in found]
    return mo.ui.table(
        [_cells(row) for row in found],
        selection="multi",
        initial_selection=[ids.index(run) for run in shown.runs if run in ids],
        page_size=PAGE,
        pagination=len(found) > PAGE,
        show_column_summaries=False,
        show_data_types=False,
        show_download=False,
        label="Runs",
    )


def draw(
    mo: Any, shown: Shown, picked: Sequence[dict[str, Any]], view: View, renew: Callable[[], None]
) -> None:
    """Show what is picked, or else what the address names, or the newest; follow it."""
    # Nothing picked, and none of those shown in the list, is an address that names no run here.
    if picked or any(run == listed for run in shown.runs for listed, _ in shown.list_):
        shown.runs = [each["run"] for each in picked[:MOST]]
        _keep_address(mo, shown.runs)
    mo.Thread(target=_follow, args=(mo, shown, len(picked), view, renew), daemon=True).start()


def _follow(mo: Any, shown: Shown, picked: int, view: View, renew: Callable[[], None]) -> None:
    """Look at the store until marimo calls another painter; draw when there is something new."""
    painter, seen = mo.current_thread(), None
    while not painter.should_exit:
        began = time.monotonic()
        try:
            runs = store_view.choose_runs(shown.path, shown.runs)
            now = (runs, store_view.state(shown.path, runs))
            if now != seen:
                picture = runs_view(mo, store_view.read_runs(shown.path, runs), view)
                seen = now
                if picked > MOST:
                    said = f"{picked} runs are picked: shown are the first two."
                    picture = mo.vstack([widgets.message(mo, said), picture])
                redraw.replace(mo, painter, picture)
            if store_view.contents(shown.path) != shown.list_:
                renew()
        except UndertowError as error:
            if seen != str(error):
                seen = str(error)
                redraw.replace(mo, painter, widgets.message(mo, seen, "problem"))
            if shown.list_ and not isinstance(error, RunMissing):
                shown.list_ = ()
                renew()
        spent = time.monotonic() - began
        redraw.wait(painter, max(POLL, spent / SHARE - spent))


def _cells(row: ListedRun) -> dict[str, Any]:
    run = row.run
    return {
        "run": run.id,
        "state": run.state,
        # Of a run that is being written the list would not keep up; the picture does.
        "step": "" if row.step is None or run.state == "running" else f"{row.step:,}",
        "networks": f"{run.finished_replicates} of {run.replicates}",
        "kind": run.source,
        "begun": run.created[:16].replace("T", " "),
    }


def _keep_address(mo: Any, runs: Sequence[str]) -> None:
    redraw.keep_address(mo, WORDS, dict(zip(WORDS, runs, strict=False)))
