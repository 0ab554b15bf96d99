"""`undertow list`, `undertow run` and `undertow atlas`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from undertow.app.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    command_as_typed,
    print_json,
    say,
)

if TYPE_CHECKING:  # at run time the command starts without them
    from undertow.verbs.documents import ListDocument


def list_(as_json: JsonOption = False) -> None:
    """List the built-in experiments and their arms."""
    from undertow.experiments import experiment, names

    found = [experiment(name) for name in names()]
    if as_json:
        document: ListDocument = [
            {
                "experiment": each.name,
                "title": each.title,
                "arms": [{"name": arm.name, "note": arm.note} for arm in each.arms],
            }
            for each in found
        ]
        print_json(document)
        return
    for each in found:
        typer.echo(f"{each.name}: {each.title}")
        for arm in each.arms:
            typer.echo(f"  {arm.name:24} {arm.note}")


def run(
    experiment: Annotated[
        str,
        typer.Argument(
            metavar="EXPERIMENT|FILE.py:NAME", help="See undertow list; or one of your own."
        ),
    ],
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
    engine: Annotated[
        str, typer.Option(help="auto, torch or lanes: what trains; auto is lanes where they can.")
    ] = "auto",
    as_json: JsonOption = False,
) -> None:
    """Train an experiment's networks, measure every gradient, judge the published claims.

    What the store holds already is not trained again: the same command goes on where it stopped.
    NAME is an undertow.Experiment in a file of yours, or a function that returns one; its runs are
    reported without the file.
    """
    from undertow.verbs import run as verb
    from undertow.verbs.report import check_report

    check_report(report)
    try:
        document = verb.run(
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
            engine=engine,
            command=command_as_typed(),
        )
    except KeyboardInterrupt:
        say("interrupted: what is done is kept; the same command goes on from there")
        raise typer.Exit(130) from None
    if as_json:
        print_json(document)
    else:
        verb.print_document(document)


def atlas(
    activation: Annotated[str, typer.Argument(metavar="ACTIVATION", help="tanh, sigmoid, relu.")],
    networks: Annotated[
        int | None, typer.Option(help="How many, at least; by default 10,000.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    report: Annotated[
        str | None, typer.Option(metavar="FILE", help="Also write the map as an HTML page.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Train anew what is there already.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Draw the trainability map of an activation, by training networks over a grid.

    Depth upwards, weight variance across; theory's depth scale and the edge of chaos on top. What
    the store holds already is not trained again: the same command goes on where it stopped.
    """
    from undertow.verbs import atlas as verb
    from undertow.verbs.report import check_report

    check_report(report)
    try:
        document = verb.atlas(
            activation,
            networks=networks,
            store=store,
            report=report,
            fresh=fresh,
            command=command_as_typed(),
        )
    except KeyboardInterrupt:
        say("interrupted: whole depths are kept; the same command goes on from there")
        raise typer.Exit(130) from None
    if as_json:
        print_json(document)
        return
    typer.echo(document["summary"])
    trained, seconds = document["networks"], document["seconds"]
    said = f"{trained:,} networks trained in {seconds:.1f} s." if trained else "All was there."
    typer.echo(f"{said} Runs: {store}." + (f" Report: {report}." if report else ""))
