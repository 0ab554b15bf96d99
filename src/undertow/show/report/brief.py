"""The first screen of a report: the verdict in a sentence, what was tried, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from undertow.numerals import counted, entry
from undertow.show.figure import Traces
from undertow.show.terminal import verdict
from undertow.show.terminal.cells import printable
from undertow.statistics.comparison import SIGNIFICANT

MOST = 4  # names in a sentence
FEW = 12  # names in a list of all
ALIKE = 1e-9  # of a difference in accuracy: the same number of samples

Documents = Mapping[str, Mapping[str, Any]]


class Brief(NamedTuple):
    """What a reader learns who reads no further."""

    headline: str
    tried: str
    happened: list[str]
    to_do: list[str]


def brief(document: Mapping[str, Any], traces: Traces, words: str, diagnoses: Documents) -> Brief:
    """Return the first screen; `words` are what the run showed."""
    noun = "arm" if document.get("arms") else "run"
    return Brief(
        headline(diagnoses, noun),
        what_was_tried(document, traces),
        list(filter(None, [words, tally(document.get("claims", ()))])),
        to_do(diagnoses, document),
    )


def headline(diagnoses: Documents, noun: str = "arm") -> str:
    """Say the verdict on all arms in a sentence or two; nothing where there is none.

    >>> well = {"outcome": "healthy", "reason": "", "root_cause": None}
    >>> headline({"tanh": well})
    'tanh is healthy: the gradient reaches every layer.'
    >>> headline({"tanh": well, "relu": well})
    'Both arms are healthy: the gradient reaches every layer.'
    """
    if len(diagnoses) < 2:
        return "".join(
            f"{printable(name)} is {verdict.headline(each)}." for name, each in diagnoses.items()
        )
    sick = {name: each for name, each in diagnoses.items() if each["root_cause"]}
    rest = {
        outcome: sum(each["outcome"] == outcome for each in diagnoses.values())
        for outcome in ("undecided", "healthy")
    }
    if rest["healthy"] == len(diagnoses):
        return f"{_all(len(diagnoses), noun)} are healthy: the gradient reaches every layer."
    causes: dict[str, list[str]] = {}
    for name, each in sick.items():
        causes.setdefault(each["root_cause"]["title"], []).append(name)
    said = []
    if sick:
        found = "; ".join(f"{title} in {join_names(names)}" for title, names in causes.items())
        are = "is" if len(sick) == 1 else "are"
        said.append(f"{len(sick)} of {len(diagnoses)} {noun}s {are} sick: {found}.")
    if rest["undecided"]:
        said.append(f"{_some(rest['undecided'], noun)} undecided.")
    if rest["healthy"]:
        said.append(f"{_some(rest['healthy'], noun)} healthy: the gradient reaches every layer.")
    return " ".join(said)


def what_was_tried(document: Mapping[str, Any], traces: Traces) -> str:
    """Say what was trained or watched.

    >>> document = {"experiment": "moons", "replicates": 20, "epochs": 100, "arms": [{"name": "a"}]}
    >>> what_was_tried(document, {})
    'In the experiment moons 20 networks of 1 arm were trained for 100 epochs: a.'
    """
    arms = [arm["name"] for arm in document.get("arms", ())]
    if not arms:
        return " ".join(_watched_words(name, trace) for name, trace in traces.items())
    each = document.get("replicates")
    trained = f"{counted(each, 'network')} of " if each else ""
    trained += f"each of {len(arms)} arms (configurations)" if len(arms) > 1 else "1 arm"
    epochs = f" for {counted(document['epochs'], 'epoch')}" if document.get("epochs") else ""
    place = f"In the experiment {document['experiment']} " if document.get("experiment") else ""
    were = "was" if each == 1 else "were"
    return f"{place}{trained} {were} trained{epochs}: {join_names(arms, FEW)}."


def tally(claims: Iterable[Mapping[str, Any]]) -> str:
    """Count what became of the claims.

    >>> tally([{"verdict": "supported"}, {"verdict": "depends"}, {"verdict": "depends"}])
    'Of the 3 published claims put to the test, 1 is supported and 2 depend on the conditions.'
    """
    verdicts = [claim["verdict"] for claim in claims if claim["verdict"] != "not tested"]
    if not verdicts:
        return ""
    said = []
    for word, one, more in (
        ("supported", "is supported", "are supported"),
        ("contradicted", "is contradicted", "are contradicted"),
        ("depends", "depends on the conditions", "depend on the conditions"),
    ):
        if count := verdicts.count(word):
            said.append(f"{count} {one if count == 1 else more}")
    whole = "Of the one published claim" if len(verdicts) == 1 else f"Of the {len(verdicts)}"
    whole += "" if len(verdicts) == 1 else " published claims"
    return f"{whole} put to the test, {_join(said)}."


def to_do(diagnoses: Documents, document: Mapping[str, Any]) -> list[str]:
    """Say what helps against each cause, and what did best among what was tried.

    >>> to_do({"tanh": {"outcome": "healthy", "reason": "", "root_cause": None}}, {})
    ['Nothing is needed for the gradient: it reaches every layer.']
    """
    compared = {row["arm"]: row for row in document.get("comparisons", ())}
    causes: dict[tuple[str, ...], list[str]] = {}
    doubts: dict[str, list[str]] = {}
    for name, each in diagnoses.items():
        if root := each["root_cause"]:
            helps = [
                f"{advice}{_tried_here(compared.get(remedy), name)}"
                for remedy, advice in zip(root["remedies"], root["advice"], strict=True)
            ]
            causes.setdefault((root["title"], *helps[:2]), []).append(name)
        elif each["outcome"] == "undecided":
            doubts.setdefault(each["reason"], []).append(name)
    said = []
    for (title, *helps), names in causes.items():
        what = ", or else ".join(helps) or "no remedy is known"
        said.append(f"Against {title} (in {join_names(names)}): {what}.")
    for reason, names in doubts.items():
        said.append(f"No verdict on {join_names(names)}, because {printable(reason)}.")
    if diagnoses and not said:
        said.append("Nothing is needed for the gradient: it reaches every layer.")
    return [*said, *_best(list(compared.values()))]


def join_names(names: Sequence[str], most: int = MOST) -> str:
    """Join names with commas, the last ones counted where they are many.

    >>> join_names(["a", "b", "c"]), join_names(list("abcdef"))
    ('a, b and c', 'a, b, c, d and 2 more')
    """
    shown = [printable(name) for name in names[:most]]
    return _join([*shown, f"{len(names) - most} more"] if len(names) > most else shown)


def _join(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def _all(count: int, noun: str) -> str:
    return f"Both {noun}s" if count == 2 else f"All {count} {noun}s"


def _some(count: int, noun: str) -> str:
    return f"1 {noun} is" if count == 1 else f"{count} {noun}s are"


def _watched_words(name: str, trace: Any) -> str:
    known = trace.attributes
    steps, recorded = known.get("steps"), trace.dataset.sizes["step"]
    said = f"The training of {printable(name)} was watched in its own loop"
    if known.get("optimizers"):
        said += f", with {known['optimizers']}"
    if known.get("batch_size"):
        said += f" and batches of {known['batch_size']}"
    layers = counted(trace.dataset.sizes["layer"], "layer")
    of = f" of {steps:,}" if isinstance(steps, int) and steps > recorded else ""
    return f"{said}: {layers} were measured in {recorded:,}{of} steps."


def _tried_here(row: Mapping[str, Any] | None, sick: str) -> str:
    """Say what a remedy did, where it was tried on the sick arm itself."""
    if row is None or row["baseline"] != sick or row.get("difference") is None:
        return ""
    points = entry(100 * row["difference"], "+.1f")
    return f" (tried here as {printable(row['arm'])}: {points} points of test accuracy)"


def _best(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name the arms that gain most over the baseline, and whether that can be claimed."""
    known = [row for row in rows if row.get("difference") is not None]
    top = max((row["difference"] for row in known), default=0.0)
    if top <= 0:
        return []
    first = [row for row in known if row["difference"] > top - ALIKE]
    gain = "gains" if len(first) == 1 else "gain"
    values = [row.get("p_holm") for row in first]
    certain = all(p is not None and p < SIGNIFICANT for p in values)
    caution = "" if certain else "; these replicates alone do not tell that from chance"
    return [
        f"Of what was tried here {join_names([row['arm'] for row in first])} {gain} most over "
        f"{printable(first[0]['baseline'])}: {100 * top:+.1f} points of test accuracy{caution}."
    ]
