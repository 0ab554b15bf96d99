"""`undertow predict` and `undertow critical`."""

from __future__ import annotations

from typing import Annotated

import typer

from undertow.app.cli.options import JsonOption, print_json


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
    from undertow.verbs.predict import predict_document

    spec = {
        "activation": activation,
        "depth": depth,
        "width": width,
        "outputs": outputs,
        "initialisation": init,
        "normalisation": normalisation,
    }
    document = predict_document(spec, inputs, data, batch)
    if as_json:
        print_json(document)
        return
    from rich.console import Console

    from undertow.show.terminal.prediction_table import prediction

    Console(markup=False, highlight=False).print(prediction(document))


def critical(
    activation: Annotated[str, typer.Argument(metavar="ACTIVATION", help="tanh, relu, ...")],
    bias_variance: Annotated[float, typer.Option(help="Variance of the biases.")] = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Find the initialisation at which gradients neither vanish nor explode."""
    from undertow.verbs.critical import critical_document, critical_words

    document, found = critical_document(activation, bias_variance)
    if as_json:
        print_json(document)
    else:
        typer.echo(critical_words(document))
    if not found:
        raise typer.Exit(1)
