"""What the commands share: options, and how a document is printed."""

from __future__ import annotations

from typing import Annotated, Any

import typer

StoreOption = Annotated[str, typer.Option("--store", metavar="FILE", help="The store of runs.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document, and nothing else on stdout.")
]
DEFAULT_STORE = "undertow.db"


def command_as_typed() -> str:
    """Return the command as typed, for the report's box on how to reproduce it."""
    import sys
    from shlex import join

    return join(["undertow", *sys.argv[1:]])


def print_json(document: Any) -> None:
    """Print a document as JSON, with nothing in it that a terminal would obey."""
    import json

    text = json.dumps(document, allow_nan=False, ensure_ascii=False)
    # What a terminal would obey stands in strings only, and is written as JSON escapes there.
    typer.echo("".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text))


def say(line: str) -> None:
    """Tell the user, on stderr."""
    from undertow.show.terminal.cells import printable

    typer.echo(f"undertow: {printable(line)}", err=True)
