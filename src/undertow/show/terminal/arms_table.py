"""The table of an experiment's arms, and of the claims that they decide, for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from undertow.numerals import NOT_DEFINED, number, short
from undertow.show.terminal.cells import new_table, text

if TYPE_CHECKING:
    from rich.table import Table


def arms(document: Mapping[str, Any]) -> Table:
    """Return the table of an experiment's arms, from its JSON document.

    >>> from rich.console import Console
    >>> accuracy = {"mean": 0.98, "ci95": [0.97, 0.99], "stuck": 0, "values": [0.98] * 20}
    >>> change = {"percent": 12.0, "over_learning_rate": 30.0}
    >>> arm = {"name": "relu", "test_accuracy": accuracy, "first_layer_weight_change": change}
    >>> arm |= {"layers": [{"grad_norm": {"first": 0.02}}], "total_dex": -0.3}
    >>> found = {"experiment": "moons", "replicates": 20, "epochs": 100, "arms": [arm]}
    >>> Console(width=80).print(arms(found))  # doctest: +NORMALIZE_WHITESPACE
    moons: 20 networks an arm, 100 epochs
    arm  accuracy      95 % stuck |dE/dW1|  dex W1 % W1/lr
    ──────────────────────────────────────────────────────
    relu    0.980 0.97-0.99  0/20    2e-02 -0.3   12    30
    accuracy: mean on the test set; stuck: no better than ...
    """
    table = new_table(
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
            text(arm["name"]),
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


def claims(document: Mapping[str, Any]) -> Table | str:
    """Return the table of verdicts; claims whose arms were not run share one line.

    >>> from rich.console import Console
    >>> claim = {"verdict": "supported", "claim": "ReLU trains.", "evidence": "0 of 20 are stuck."}
    >>> Console(width=60).print(claims({"claims": [claim]}))  # doctest: +NORMALIZE_WHITESPACE
    Published claims, judged by these runs
    verdict   claim        evidence
    ─────────────────────────────────────────
    supported ReLU trains. 0 of 20 are stuck.
    """
    tested = [claim for claim in document["claims"] if claim["verdict"] != "not tested"]
    left = len(document["claims"]) - len(tested)
    not_tested = f"{left} published claims not tested: their arms were not run." if left else ""
    if not tested:
        return not_tested
    table = new_table("Published claims, judged by these runs", "verdict", "claim", "evidence")
    table.columns[1].ratio, table.columns[2].ratio = 2, 5
    table.show_lines, table.caption = True, not_tested
    for claim in tested:
        table.add_row(claim["verdict"], claim["claim"], claim["evidence"])
    return table
