"""`undertow explain` and `undertow diagnose`."""

from __future__ import annotations

from typing import Annotated

import typer

from undertow.app.cli.options import DEFAULT_STORE, JsonOption, StoreOption, print_json

TargetArgument = Annotated[
    str, typer.Argument(metavar="MODULE:FACTORY|RUN", help="A model of yours, or a run.")
]


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
    from undertow.verbs.explain import explain_named

    document = explain_named(target, store, figure)
    if as_json:
        print_json(document)
        return
    from rich.console import Console

    from undertow.show.terminal import verdict

    console = Console(markup=False, highlight=False)
    console.print(document["summary"], style="bold")
    console.print(verdict.budget(document))


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
    from undertow.verbs.diagnose import diagnose_named

    document, status = diagnose_named(target, store, theory=theory)
    if as_json:
        print_json(document)
    else:
        from rich.console import Console

        from undertow.show.terminal import verdict

        Console(markup=False, highlight=False).print(verdict.diagnosis(document, target))
    if status:
        raise typer.Exit(status)
