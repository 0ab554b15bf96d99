"""`undertow runs`, `watch`, `report` and `export`: what a store holds."""

from __future__ import annotations

from typing import Annotated

import typer

from undertow.app.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    command_as_typed,
    print_json,
    say,
)
from undertow.errors import SpecError


def runs(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """List the runs of a store."""
    from undertow.show.terminal.runs_table import runs as runs_table
    from undertow.trace.store.reader import open as open_store
    from undertow.trace.store.tail import last_step

    with open_store(store) as opened:
        found = opened.runs()
        steps = {each.id: last_step(opened, each.id) for each in found}
    if as_json:
        from undertow.verbs.documents import ListedRun

        print_json([ListedRun(**each._asdict(), step=steps[each.id]) for each in found])
        return
    from rich.console import Console

    Console(markup=False).print(
        runs_table(found, steps) if found else f"no runs in {store}: type  undertow run moons"
    )


def watch(
    path: Annotated[str | None, typer.Argument(metavar="STORE", help="The store of runs.")] = None,
    store: Annotated[
        str | None,
        typer.Option("--store", metavar="FILE", help=f"The same.  [default: {DEFAULT_STORE}]"),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="A run, or the beginning of its id; by default the newest that is being written, "
            "else the newest.",
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Print the newest step and end.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Follow a run while another process writes it.

    Shows the newest step: the loss, what watching costs, every layer's gradient. It ends when the
    run does, or at Ctrl-C; where it does not write to a terminal it prints once and ends.
    """
    from undertow.verbs import watch as verb

    named = verb.which_store(path, store, DEFAULT_STORE)
    if as_json:
        print_json(verb.document(named, run))
        return
    try:
        verb.follow(named, run, once=once)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def report(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Runs, or an experiment.")],
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="OUT", help="A file OUT.html, or a folder.")
    ],
    png: Annotated[bool, typer.Option("--png", help="Write each figure as a PNG file.")] = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Write the report of runs that are in the store: HTML, or figures as PNG."""
    from undertow.verbs import report as verb

    if not png and not output.endswith((".html", ".htm")):
        raise SpecError(f"-o {output}: a file that ends in .html, or a folder with --png")
    written = verb.report(runs, output, png=png, store=store, command=command_as_typed())
    say(f"wrote {written}")


def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run, or the beginning of its id.")],
    output: Annotated[str, typer.Argument(metavar="OUT", help="A file OUT.nc or OUT.csv.")],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Export a run as NetCDF or CSV."""
    from undertow.trace.export import export as export_trace
    from undertow.trace.store.reader import open as open_store

    with open_store(store) as opened:
        export_trace(opened.trace(run), output)
    say(f"wrote {output}")
