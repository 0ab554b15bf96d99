"""The glossary of a report: what its words mean, and the variables that it draws, by the schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from undertow.diagnosis.rules import RULES
from undertow.show.figure import Traces
from undertow.show.figures import KINDS
from undertow.show.report.questions import Group
from undertow.trace.schema import VARIABLES

TERMS: dict[str, str] = {
    "gradient": "How much the loss changes with a weight, dE/dW: what tells the weight which way "
    "to move. Without one a layer learns nothing.",
    "delta": "The gradient that arrives at a layer, dE/dz: how much the loss changes with what "
    "goes into the layer's activation function. It runs from the output to the first layer.",
    "dex": "One power of ten. −1 dex is a tenth, −2 dex a hundredth, −6 dex a millionth; +1 dex "
    "is ten times.",
    "total dex": "log₁₀ of delta at layer 1 less log₁₀ of delta at the last hidden layer: what "
    "all hidden layers together do to the gradient. 0 is best, far below 0 it vanishes, far above "
    "it explodes.",
    "layer": "A part of the network that has weights. Layers count from the input: layer 1 comes "
    "first.",
    "arm": "One configuration in a study: one network and one way to train it. Arms differ in "
    "what is compared.",
    "replicate": "One network of an arm, with a seed of its own: other first weights and another "
    "order of the samples. Several show what is chance.",
    "stuck": "A network whose test accuracy is not above the share of the larger test class, or "
    "which names one class for all: it has learned nothing.",
}
COMPARED: dict[str, str] = {
    "95 % interval": "A range that holds the true value in 95 of 100 such studies.",
    "p": "How often chance alone would show so large a difference. Below 0.05 it is called "
    "significant here; Holm's correction allows for the number of comparisons.",
    "chance to be better": "The chance that a network of the arm beats one of the baseline.",
}
# What a figure draws where a trace holds it, beyond what it cannot do without.
ALSO = {"loss": ("test_loss",), "accuracy-over-time": ("accuracy",)}


class Entry(NamedTuple):
    """A variable of the schema, and the numbers of the figures that draw it."""

    name: str
    unit: str
    meaning: str
    figures: list[int]


def words(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the words that a report explains.

    >>> list(words({}))[:3], "p" in words({}), "p" in words({"comparisons": [{}]})
    (['gradient', 'delta', 'dex'], False, True)
    """
    return TERMS | (COMPARED if document.get("comparisons") else {})


def codes(diagnoses: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Return code, title and page of each rule that a verdict names.

    >>> codes({"net": {"findings": [{"code": "UT105"}]}})
    [('UT105', 'non-finite values', 'docs/rules/UT105.md')]
    """
    named = {each["code"] for one in diagnoses.values() for each in one["findings"]}
    return [(rule.code, rule.title, rule.page) for rule in RULES if rule.code in named]


def variables(
    document: Mapping[str, Any],
    traces: Traces,
    groups: Iterable[Group],
    diagnoses: Mapping[str, Mapping[str, Any]],
) -> list[Entry]:
    """Return the schema's variables that a page draws, counts or judges by, in its order."""
    held = {name for trace in traces.values() for name in trace.dataset.data_vars}
    drawn = {kind.name: (*kind.variables, *ALSO.get(kind.name, ())) for kind in KINDS}
    found = {code for code, _, _ in codes(diagnoses)}
    used = {name for rule in RULES if rule.code in found for name in rule.needs}
    if document.get("arms"):
        used.update(name for name, variable in VARIABLES.items() if variable.of_arms)
    places: dict[str, list[int]] = {}
    for group in groups:
        for number, figure in group.figures:
            for name in drawn.get(figure.name, ()):
                places.setdefault(name, []).append(number)
    return [
        Entry(name, variable.unit, variable.meaning, sorted(places.get(name, ())))
        for name, variable in VARIABLES.items()
        if name in held and (name in places or name in used)
    ]
