"""The paragraph under the table, filled from the run's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from undertow.numerals import about, counted, duration

GLOSSARY = (
    "delta is the gradient of the loss with respect to a layer's output, before its activation. "
    "dex is one power of ten: -3 dex is a thousandth. Total dex is log10 |delta| of layer 1 less "
    "that of the last hidden layer."
)
ALIKE = 0.5  # a proxy that reads at least this share of another's does not tell the two apart
FAR = 2.0  # dex


def paragraph(document: Mapping[str, Any]) -> str:
    """Say in a few sentences what the run showed, and how well theory foresaw it.

    >>> accuracy = {"median": 0.54, "stuck": 20, "values": [0.54] * 20}
    >>> arm = {"name": "sigmoid", "total_dex": -5.9, "test_accuracy": accuracy}
    >>> foreseen = {"median_dex": 0.1, "disagreement_dex": [0.05, -0.1, 0.2]}
    >>> for sentence in paragraph({"arms": [arm | {"theory": foreseen}]}).split(". "):
    ...     print(sentence)
    In sigmoid, ... 20 of 20 networks are stuck, median test accuracy 0.54
    Theory alone, before a step, gives the gradient of every layer at step 1 to 0.10 dex ...
    """
    return " ".join(filter(None, [what_happened(document), theory(document)]))


def what_happened(document: Mapping[str, Any]) -> str:
    """Say in two or three sentences what the run showed.

    >>> accuracy = {"median": 0.54, "stuck": 20, "values": [0.54] * 20}
    >>> arm = {"name": "sigmoid", "total_dex": -5.9, "test_accuracy": accuracy}
    >>> print(what_happened({"arms": [arm]}))
    In sigmoid, before training, layer 1 gets about 1/790,000 of the gradient that ...
    """
    arms = [arm for arm in document["arms"] if arm["total_dex"] is not None]
    if not arms:
        return "In no arm is the total dex defined." if document["arms"] else "No arm was run."
    worst = min(arms, key=lambda arm: arm["total_dex"])
    best = min(arms, key=_badness)
    sentences = [_arrives(worst)]
    if best is not worst:
        sentences += [_arrives(best), *_proxy(worst, best)]
    return " ".join(sentences)


def theory(document: Mapping[str, Any]) -> str:
    """Say how well theory, before training, gave the gradients of step 1; nothing without it.

    >>> theory({"arms": [{"name": "relu", "theory": None}]})
    ''
    """
    known = [
        (arm["name"], arm["theory"])
        for arm in document.get("arms", ())
        if arm.get("theory") and arm["theory"]["median_dex"] is not None
    ]
    if not known:
        return ""
    off = [abs(dex) for _, found in known for dex in found["disagreement_dex"] if dex is not None]
    worst, found = max(known, key=lambda each: each[1]["median_dex"])
    sentence = (
        f"Theory alone, before a step, gives the gradient of every layer at step 1 to "
        f"{median(off):.2f} dex (median over {len(off)} layers)"
    )
    if len(known) > 1:
        sentence += f"; it is least right about {worst} ({found['median_dex']:.2f} dex)"
    return sentence + "."


def plan(
    experiment: str,
    *,
    arms: int,
    replicates: int,
    parameters: tuple[int, int],
    left: int,
    seconds: float | None,
) -> str:
    """Say what is about to be trained, before the first step.

    >>> plan("moons", arms=2, replicates=20, parameters=(141, 1031), left=40, seconds=None)
    'moons: 2 arms x 20 networks of 141 to 1,031 parameters; 40 to train'
    """
    low, high = parameters
    sizes = f"{high:,}" if low == high else f"{low:,} to {high:,}"
    whole = f"{counted(arms, 'arm')} x {counted(replicates, 'network')}"
    to_do = f"{left} to train" if left else "all in the store already"
    about = f", in about {duration(seconds)}" if left and seconds is not None else ""
    return f"{experiment}: {whole} of {sizes} parameters; {to_do}{about}"


def _badness(arm: Mapping[str, Any]) -> tuple[float, float]:
    accuracy = arm["test_accuracy"]
    median = accuracy["median"]
    return accuracy["stuck"] / len(accuracy["values"]), -(median if median is not None else 0.0)


def _arrives(arm: Mapping[str, Any]) -> str:
    accuracy = arm["test_accuracy"]
    count = len(accuracy["values"])
    median = accuracy["median"]
    learned = "" if median is None else f", median test accuracy {median:.2f}"
    return (
        f"In {arm['name']}, before training, layer 1 gets {about(arm['total_dex'])} the gradient "
        f"that reaches the last hidden layer ({arm['total_dex']:+.1f} dex), and in the end "
        f"{accuracy['stuck']} of {count} networks are stuck{learned}."
    )


def _proxy(worst: Mapping[str, Any], best: Mapping[str, Any]) -> list[str]:
    """Warn of the published stand-in for a gradient, where these runs show that it misleads."""
    changes = [arm["first_layer_weight_change"]["percent"] for arm in (worst, best)]
    if None in changes or best["total_dex"] - worst["total_dex"] < FAR:
        return []
    if changes[0] < ALIKE * changes[1]:
        return []
    return [
        f"The weights of layer 1 do not show it: they changed by {changes[0]:.0f} % in "
        f"{worst['name']} and by {changes[1]:.0f} % in {best['name']}."
    ]
