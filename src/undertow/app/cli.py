"""The command `undertow`."""

from __future__ import annotations

import os
import signal
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from undertow.errors import SpecError, UndertowError

app = typer.Typer(
    name="undertow",
    help="Does the gradient reach every layer of my network, and if not, why?",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

StoreOption = Annotated[str, typer.Option("--store", metavar="FILE", help="The store of runs.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document, and nothing else on stdout.")
]
TargetArgument = Annotated[
    str, typer.Argument(metavar="MODULE:FACTORY|RUN", help="A model of yours, or a run.")
]
DEFAULT_STORE = "undertow.db"


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


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the built-in experiments and their arms."""
    from undertow.lab.experiments import experiment, names

    found = [experiment(name) for name in names()]
    if as_json:
        _print_json(
            [
                {
                    "experiment": each.name,
                    "title": each.title,
                    "arms": [{"name": arm.name, "note": arm.note} for arm in each.arms],
                }
                for each in found
            ]
        )
        return
    for each in found:
        typer.echo(f"{each.name}: {each.title}")
        for arm in each.arms:
            typer.echo(f"  {arm.name:24} {arm.note}")


@app.command()
def run(
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="See undertow list.")],
    replicates: Annotated[
        int | None, typer.Option(help="Networks an arm, each with a seed of its own.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data.")] = None,
    seed: Annotated[
        int, typer.Option(help="The first replicate's seed; the next has one more.")
    ] = 0,
    arm: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this arm; repeatable.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="DIR", help="Folder of the data set's files.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    report: Annotated[
        str | None, typer.Option(metavar="FILE", help="Also write an HTML report.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Train anew what is there already.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(help="Processes to train in; by default one a core.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train an experiment's networks, measure every gradient, judge the published claims.

    What the store holds already is not trained again: the same command goes on where it stopped.
    """
    from undertow.app import work

    work.check_report(report)
    try:
        document = work.run(
            experiment,
            replicates=replicates,
            epochs=epochs,
            seed=seed,
            arms=arm or [],
            data=data,
            store=store,
            report=report,
            fresh=fresh,
            workers=workers,
            command=_command(),
        )
    except KeyboardInterrupt:
        _say("interrupted: what is done is kept; the same command goes on from there")
        raise typer.Exit(130) from None
    if as_json:
        _print_json(document)
    else:
        work.print_document(document)


@app.command()
def predict(
    activation: Annotated[str, typer.Option(help="After every hidden layer.")] = "sigmoid",
    depth: Annotated[int, typer.Option(help="Hidden layers.")] = 10,
    width: Annotated[int, typer.Option(help="Units in each.")] = 10,
    inputs: Annotated[
        int | None, typer.Option(help="Features of a sample; by default the data's, or 2.")
    ] = None,
    outputs: Annotated[int, typer.Option(help="Units of the last layer.")] = 1,
    init: Annotated[
        str, typer.Option(help="A name of Keras's, or torch_default.")
    ] = "glorot_uniform",
    normalisation: Annotated[str, typer.Option(help="none, batch, layer or tensor.")] = "none",
    data: Annotated[
        str | None, typer.Option(metavar="NAME", help="moons, circles or digits; else noise.")
    ] = None,
    batch: Annotated[int, typer.Option(help="Samples of the batch.")] = 32,
    as_json: JsonOption = False,
) -> None:
    """Predict the gradient of every layer from theory; nothing is trained."""
    from undertow.app import foresight

    spec = {
        "activation": activation,
        "depth": depth,
        "width": width,
        "outputs": outputs,
        "initialisation": init,
        "normalisation": normalisation,
    }
    document = foresight.predict(spec, inputs, data, batch)
    if as_json:
        _print_json(document)
        return
    from rich.console import Console

    from undertow.show import terminal

    Console(markup=False, highlight=False).print(terminal.prediction(document))


@app.command()
def critical(
    activation: Annotated[str, typer.Argument(metavar="ACTIVATION", help="tanh, relu, ...")],
    bias_variance: Annotated[float, typer.Option(help="Variance of the biases.")] = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Find the initialisation at which gradients neither vanish nor explode."""
    from undertow.app import foresight

    document, found = foresight.critical(activation, bias_variance)
    if as_json:
        _print_json(document)
    else:
        typer.echo(foresight.critical_words(document))
    if not found:
        raise typer.Exit(1)


@app.command()
def explain(
    target: TargetArgument,
    store: StoreOption = DEFAULT_STORE,
    figure: Annotated[
        str | None, typer.Option(metavar="FILE", help="Also draw a waterfall: a PNG or SVG file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say where every decade of the gradient went, layer by layer and cause by cause.

    MODULE:FACTORY (my_net.py:make, package.module:make) names a function of yours that returns
    (model, loss_fn, (inputs, targets)); one pass is made. Of a run its first batch is explained.
    """
    from undertow.app import insight

    document = insight.explain(target, store, figure)
    if as_json:
        _print_json(document)
        return
    from rich.console import Console

    from undertow.show import verdict

    console = Console(markup=False, highlight=False)
    console.print(document["summary"], style="bold")
    console.print(verdict.budget(document))


@app.command()
def diagnose(
    target: TargetArgument,
    store: StoreOption = DEFAULT_STORE,
    theory: Annotated[
        bool,
        typer.Option(
            "--theory", help="Compare with what theory expects; for MODULE:FACTORY, where it can."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Name the one cause why the gradient does not reach every layer, and what helps.

    Of a run everything recorded is judged; of MODULE:FACTORY (see explain) one pass. Exit status: 0
    healthy, 1 sick, 3 undecided.
    """
    from undertow.app import insight

    document, status = insight.diagnose(target, store, theory=theory)
    if as_json:
        _print_json(document)
    else:
        from rich.console import Console

        from undertow.show import verdict

        Console(markup=False, highlight=False).print(verdict.diagnosis(document, target))
    if status:
        raise typer.Exit(status)


@app.command()
def runs(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """List the runs of a store."""
    from undertow.show import terminal
    from undertow.trace.store import open as open_store
    from undertow.trace.tail import last_step

    with open_store(store) as opened:
        found = opened.runs()
        steps = {each.id: last_step(opened, each.id) for each in found}
    if as_json:
        _print_json([each._asdict() | {"step": steps[each.id]} for each in found])
        return
    from rich.console import Console

    Console(markup=False).print(
        terminal.runs(found, steps) if found else f"no runs in {store}: type  undertow run moons"
    )


@app.command()
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
    from undertow.app import follow

    named = follow.which_store(path, store, DEFAULT_STORE)
    if as_json:
        _print_json(follow.document(named, run))
        return
    try:
        follow.follow(named, run, once=once)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@app.command()
def report(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Runs, or an experiment.")],
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="OUT", help="A file OUT.html, or a folder.")
    ],
    png: Annotated[bool, typer.Option("--png", help="Write each figure as a PNG file.")] = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Write the report of runs that are in the store: HTML, or figures as PNG."""
    from undertow.app import work

    if not png and not output.endswith((".html", ".htm")):
        raise SpecError(f"-o {output}: a file that ends in .html, or a folder with --png")
    written = work.report(runs, output, png=png, store=store, command=_command())
    _say(f"wrote {written}")


@app.command()
def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run, or the beginning of its id.")],
    output: Annotated[str, typer.Argument(metavar="OUT", help="A file OUT.nc or OUT.csv.")],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Export a run as NetCDF or CSV."""
    from undertow.trace.export import export as export_trace
    from undertow.trace.store import open as open_store

    with open_store(store) as opened:
        export_trace(opened.trace(run), output)
    _say(f"wrote {output}")


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
        _say(str(error))
        status = 2
    except BrokenPipeError:
        # The reader has gone: end in silence, also at the interpreter's own flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except OSError as error:  # a full disk under stdout
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _say(f"cannot write the output: {error.strerror or error}")
        status = 2
    except Exception as error:
        # Typer brings its own copy of click, or uses the installed one: known by what they offer.
        if not hasattr(error, "format_message"):
            raise
        _say(f"{error.format_message()}  Type  undertow --help")  # pyright: ignore
        status = 2
    sys.exit(status if isinstance(status, int) else 0)


def _end(*_: object) -> NoReturn:
    """End as after Ctrl-C: what is done is kept, the workers are ended."""
    raise SystemExit(143)


def _command() -> str:
    """Return the command as typed, for the report's box on how to reproduce it."""
    from shlex import join

    return join(["undertow", *sys.argv[1:]])


def _print_json(document: Any) -> None:
    import json

    text = json.dumps(document, allow_nan=False, ensure_ascii=False)
    # What a terminal would obey stands in strings only, and is written as JSON escapes there.
    typer.echo("".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text))


def _say(line: str) -> None:
    from undertow.show.terminal import printable

    typer.echo(f"undertow: {printable(line)}", err=True)


if __name__ == "__main__":
    main()
