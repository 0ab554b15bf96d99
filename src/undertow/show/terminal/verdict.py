"""A diagnosis and a budget in the terminal, and the verdicts of a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from undertow.explanation.budget import TERMS
from undertow.numerals import number
from undertow.show.terminal.cells import printable

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

GLOSS = "Delta is the gradient that arrives at a layer's output; a decade is a factor of ten."
MOST = 4  # layers that are listed by name
NO_BUDGETS: Mapping[str, Mapping[str, Any]] = {}
OUTCOMES = ("sick", "undecided", "healthy")  # in the order of a report
SHORT = {
    "ceiling": "ceiling",
    "saturation": "satur.",
    "covariance": "covar.",
    "weight_scale": "weights",
    "alignment": "align.",
    "normalisation": "norm",
    "skip": "skip",
    "fan_out": "fan-out",
    "other": "other",
}


class Verdict(NamedTuple):
    """What a report says of arms; `lost` is where the gradient goes, `also` what else was found."""

    arms: list[str]
    outcome: str
    reason: str
    code: str
    cause: str
    layers: str
    evidence: str
    lost: str
    helps: list[tuple[str, str]]
    also: list[tuple[str, str]]


def headline(document: Mapping[str, Any]) -> str:
    """Say the verdict in one line.

    >>> headline({"outcome": "healthy", "reason": "", "root_cause": None})
    'healthy: the gradient reaches every layer'
    """
    root = document["root_cause"]
    if root:
        return f"sick: {root['title']} ({root['code']}){_at(root['layers'])}"
    if document["outcome"] == "undecided":
        return f"undecided, because {printable(document['reason'])}"
    said = "healthy: the gradient reaches every layer"
    return f"{said} ({printable(document['reason'])})" if document["reason"] else said


def diagnosis(document: Mapping[str, Any], name: str) -> Group:
    """Return the verdict, its evidence, what helps, and what else was found.

    >>> import undertow as ut
    >>> from rich.console import Console
    >>> net = ut.NetworkSpec(inputs=2, outputs=1, depth=10, width=10, activation="sigmoid")
    >>> found = ut.diagnose(ut.predict(net, [[1.0, 0.0], [0.0, 1.0]])).document()
    >>> Console(width=100).print(diagnosis(found, "net"))  # doctest: +NORMALIZE_WHITESPACE
    net: sick: initialisation off critical (UT113) at hidden_1
      theory expects delta to lose 5.6 decades with these initial weights; measured -5.6 dex.
      What helps, most effect first:
        critical         draw the initial weights at the activation's critical variance ...
    """
    from rich.console import Group
    from rich.text import Text

    root = document["root_cause"]
    lines: list[Any] = [Text(f"{printable(name)}: {headline(document)}", style="bold")]
    if root:
        lines.append(Text(f"  {printable(root['evidence'])}."))
        lines.append(Text("  What helps, most effect first:"))
        lines.append(_rows(zip(root["remedies"], root["advice"], strict=True)))
    others = [each for each in document["findings"] if not root or each["code"] != root["code"]]
    if others:
        lines.append(Text("  Also found:" if not root else "  Follows from it, or beside it:"))
    lines.append(
        _rows((each["code"], f"{each['title']}: {printable(each['evidence'])}") for each in others)
    )
    lines += [Text(f"  Note: {printable(note)}.") for note in document.get("notes", ())]
    counts = {"passed": 0, "not applicable": 0, "not measured": 0}
    for rule in document["rules"]:
        if rule["outcome"] in counts:
            counts[rule["outcome"]] += 1
    if document["findings"]:
        lines.append(Text(f"  {GLOSS}", "dim"))
    said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    lines.append(Text(f"  Of the other rules: {said}. --json lists them with reasons.", "dim"))
    return Group(*lines)


def verdicts(
    documents: Mapping[str, Mapping[str, Any]],
    budgets: Mapping[str, Mapping[str, Any]] = NO_BUDGETS,
) -> list[Verdict]:
    """Return the verdicts of a report, the sick first; arms of which all is alike share one.

    >>> well = {"outcome": "healthy", "reason": "", "root_cause": None, "findings": []}
    >>> [(each.arms, each.outcome) for each in verdicts({"tanh": well, "relu": well})]
    [(['tanh', 'relu'], 'healthy')]
    """
    found: dict[str, Verdict] = {}
    for arm, document in documents.items():
        each = _verdict(document, budgets.get(arm, {}))
        found.setdefault(repr(each), each).arms.append(arm)
    return sorted(found.values(), key=lambda each: OUTCOMES.index(each.outcome))


def budget(document: Mapping[str, Any]) -> Table:
    """Return the table of a budget: a row a layer, a column a cause that counts.

    >>> from rich.console import Console
    >>> from undertow.explanation.budget import Budget, LayerBudget
    >>> terms = dict.fromkeys(TERMS, 0.0) | {"ceiling": -0.6, "weight_scale": 0.1}
    >>> layers = tuple(LayerBudget(name, "sigmoid", terms, -0.5, ()) for name in ("fc1", "fc2"))
    >>> found = Budget("fc1", "fc3", -1.0, layers, closure_error=0.0).document()
    >>> Console(width=80).print(budget(found))  # doctest: +NORMALIZE_WHITESPACE
    Decades (dex) that delta gains
    or loses, layer by layer
    layer  ceiling  weights   gain
    ───────────────────────────────
    fc2      -0.60    +0.10  -0.50
    fc1      -0.60    +0.10  -0.50
    <BLANKLINE>
    all      -1.20    +0.20  -1.00
    Read downwards, as the gradient
    runs: ...
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    terms = [term for term in TERMS if any(each["terms"][term] for each in document["layers"])]
    table = Table(
        title="Decades (dex) that delta gains or loses, layer by layer",
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
        show_edge=False,
        show_footer=True,
        padding=(0, 1, 0, 0),
    )
    table.add_column("layer", footer="all")
    for term in terms:
        total = number(document["terms"][term], "+.2f")
        table.add_column(SHORT[term], footer=total, justify="right", no_wrap=True)
    table.add_column("gain", footer=number(document["total_dex"], "+.2f"), justify="right")
    for layer in reversed(document["layers"]):
        cells = [number(layer["terms"][term], "+.2f") for term in terms]
        name = Text(printable(layer["name"]), overflow="ellipsis", no_wrap=True)
        table.add_row(name, *cells, number(layer["total"], "+.2f"))
    table.caption = (
        "Read downwards, as the gradient runs: each row is the way from the layer above it to that "
        f"layer. The terms sum to the measured total within {document['closure_error']:.0e} dex. "
        "Delta is the gradient that arrives at a layer's output; -1 dex, a decade, is a tenth."
    )
    return table


def _verdict(document: Mapping[str, Any], budget: Mapping[str, Any]) -> Verdict:
    root = document["root_cause"] or {}
    code, evidence = root.get("code", ""), root.get("evidence", "")
    shares = {each["code"]: each["share"] for each in document["findings"]}
    if root and shares[code] < 1:
        evidence += f" ({100 * shares[code]:.0f} % of the replicates)"
    return Verdict(
        [],
        document["outcome"],
        document["reason"],
        code,
        root.get("title", ""),
        _join_layers(root.get("layers", [])),
        evidence,
        budget.get("summary", "") if root else "",
        list(zip(root.get("remedies", ()), root.get("advice", ()), strict=True)),
        [(each["code"], each["title"]) for each in document["findings"] if each["code"] != code],
    )


def _rows(rows: Iterable[tuple[str, str]]) -> Any:
    """Set words beside what they mean, so that long lines break beside them."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column()
    for word, meaning in rows:
        table.add_row(Text(f"    {word}"), Text(meaning))
    return table


def _at(layers: list[str]) -> str:
    return f" at {_join_layers(layers)}" if layers else ""


def _join_layers(layers: list[str]) -> str:
    listed = ", ".join(printable(layer) for layer in layers[:MOST])
    return f"{listed} and {len(layers) - MOST} more" if len(layers) > MOST else listed
