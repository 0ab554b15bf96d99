"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from undertow.trace.store.reader import Run

NOT_DEFINED = "-"
BAR = 30  # characters of the longest bar


def arms(document: dict[str, Any]) -> Table:
    """Return the table of an experiment's arms, from its JSON document."""
    table = _table(
        f"{document['experiment']}: {document['replicates']} networks an arm, "
        f"{document['epochs']} epochs",
        "arm",
        "accuracy",
        "95 %",
        "stuck",
        "|dE/dW1|",
        "dex",
        "W1 %",
        "W1/lr",
    )
    for arm in document["arms"]:
        accuracy, change = arm["test_accuracy"], arm["first_layer_weight_change"]
        interval = accuracy["ci95"]
        table.add_row(
            _text(arm["name"]),
            number(accuracy["mean"], ".3f"),
            f"{interval[0]:.2f}-{interval[1]:.2f}" if interval else NOT_DEFINED,
            f"{accuracy['stuck']}/{len(accuracy['values'])}",
            number(arm["layers"][0]["grad_norm"]["first"], ".0e"),
            number(arm["total_dex"], "+.1f"),
            short(change["percent"]),
            short(change["over_learning_rate"]),
        )
    table.caption = (
        "accuracy: mean on the test set; stuck: no better than one class for all. The rest are "
        "medians: |dE/dW1| and total dex at step 1; W1 % and W1/lr, the change of layer 1's "
        "weights in percent and over the learning rate, the published stand-ins for its gradient"
    )
    return table


def claims(document: dict[str, Any]) -> Table | str:
    """Return the table of verdicts; claims whose arms were not run share one line."""
    tested = [claim for claim in document["claims"] if claim["verdict"] != "not tested"]
    left = len(document["claims"]) - len(tested)
    not_tested = f"{left} published claims not tested: their arms were not run." if left else ""
    if not tested:
        return not_tested
    table = _table("Published claims, judged by these runs", "verdict", "claim", "evidence")
    table.columns[1].ratio, table.columns[2].ratio = 2, 5
    table.show_lines, table.caption = True, not_tested
    for claim in tested:
        table.add_row(claim["verdict"], claim["claim"], claim["evidence"])
    return table


def prediction(document: dict[str, Any]) -> Table:
    """Return the table of a prediction, with a bar a layer."""
    table = _table("Gradient that theory expects, before training", "layer", "log10 |dE/dW|")
    for column in ("sd", "log10 |dE/dz|"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    layers = document["layers"]
    known = [layer["log10_grad_norm"] for layer in layers if layer["log10_grad_norm"] is not None]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    for layer in layers:
        value = layer["log10_grad_norm"]
        share = 0.0 if value is None else (value - low) / max(high - low, 1.0)
        table.add_row(
            "output" if layer is layers[-1] else str(layer["depth"]),
            number(value, "+.2f"),
            number(layer["sd_dex"], ".2f"),
            number(layer["log10_delta_norm"], "+.2f"),
            "" if value is None else "█" * (1 + round(share * (BAR - 1))),
        )
    table.caption = (
        "root mean squares over initialisations, in dex (powers of ten); sd is the scatter of one "
        f"network's log10 |dE/dW|. From the last hidden layer to the first delta, dE/dz, changes "
        f"by {number(document['total_dex'], '+.2f')} dex."
        + (f" Caution: {document['caution']}." if document["caution"] else "")
    )
    return table


def runs(found: list[Run], steps: Mapping[str, int | None]) -> Table:
    """Return the table of a store's runs; `steps` has the last recorded step of each."""
    table = _table(None, "run", "state", "step", "nets", "seconds", "created")
    table.columns[0].no_wrap, table.columns[0].overflow = False, "fold"  # an id is typed whole
    for run in found:
        one = run.source == "watched"
        table.add_row(
            _text(run.id),
            run.state,
            # A run that has ended knows of steps after the last recorded one.
            number(max(steps[run.id] or 0, run.attributes.get("steps", 0)) or None, ","),
            "1" if one else f"{run.finished_replicates}/{run.replicates}",
            # How long a network trained is known when it is done.
            number(run.seconds if run.finished_replicates else None, ".1f"),
            run.created[5:16].replace("T", " "),
        )
    return table


def printable(text: str) -> str:
    r"""Show what would move the cursor or change the colours instead of doing it.

    >>> print(printable("conv1\x1b[2J\n"))
    conv1\x1b[2J\n
    """
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def number(value: float | None, form: str) -> str:
    """Write a number, or a dash where there is none.

    >>> number(1.06e-7, ".1e"), number(None, ".1e")
    ('1.1e-07', '-')
    """
    return NOT_DEFINED if value is None else format(value, form)


def short(value: float | None) -> str:
    """Write a number with two figures, without a power of ten where it is easily read.

    >>> short(121.08), short(0.000482), short(1.953e-06), short(None)
    ('120', '0.00048', '2e-06', '-')
    """
    return NOT_DEFINED if value is None else f"{float(f'{value:.2g}'):g}"


def _table(title: str | None, *columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(
        title=title,
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
        show_edge=False,
        padding=(0, 0),
    )
    for place, column in enumerate(columns):
        prose = place == 0 or column in ("claim", "evidence", "state", "created")
        wraps = column in ("claim", "evidence")
        table.add_column(column, justify="left" if prose else "right", no_wrap=not wraps)
    return table


def _text(name: str) -> Any:
    from rich.text import Text

    return Text(printable(name))  # a name is never markup
