"""The command `undertow`."""

from __future__ import annotations

import os
import signal
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from undertow.app.cli import causes, experiments, pages, store, theory
from undertow.app.cli.options import say
from undertow.errors import UndertowError

app = typer.Typer(
    name="undertow",
    help="Does the gradient reach every layer of my network, and if not, why?",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def undertow(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Does the gradient reach every layer of my network, and if not, why?"""
    if version:
        from undertow import __version__

        typer.echo(f"undertow {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command("list")(experiments.list_)
for _command in (
    experiments.run,
    experiments.atlas,
    theory.predict,
    theory.critical,
    causes.explain,
    causes.diagnose,
    store.runs,
    store.watch,
    store.report,
    store.export,
    pages.app,
    pages.lesson,
):
    app.command()(_command)


def main() -> NoReturn:
    """Run the command; every foreseen error is one line and exit status 2."""
    if sys.stdout is None:  # closed by the caller
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # where there are no blocks, a bar is ???
    signal.signal(signal.SIGTERM, _end)
    try:
        status = app(standalone_mode=False)
        sys.stdout.flush()
    except UndertowError as error:
        say(str(error))
        status = 2
    except BrokenPipeError:
        # The reader has gone: end in silence, also at the interpreter's own flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except OSError as error:  # a full disk under stdout
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        say(f"cannot write the output: {error.strerror or error}")
        status = 2
    except Exception as error:
        # Typer brings its own copy of click, or uses the installed one: known by what they offer.
        if not hasattr(error, "format_message"):
            raise
        say(f"{error.format_message()}  Type  undertow --help")  # pyright: ignore
        status = 2
    sys.exit(status if isinstance(status, int) else 0)


def _end(*_: object) -> NoReturn:
    """End as after Ctrl-C: what is done is kept, the workers are ended."""
    raise SystemExit(143)


if __name__ == "__main__":
    main()
