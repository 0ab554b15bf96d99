"""What speaks for and against the remedies of a study, with the numbers of its run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from typing_extensions import TypedDict

from undertow.remedies import REMEDIES

# Name -> what is said of it, of those of which something is.
DISCUSSED = {name: remedy for name, remedy in REMEDIES.items() if remedy.strength}


class RemedyDiscussion(TypedDict):
    """What is said of a remedy among the arms of a study."""

    arm: Annotated[str, "the arm that is a remedy"]
    numbers: Annotated[str, "what it did, in words"]
    strength: Annotated[str, "what speaks for it"]
    weakness: Annotated[str, "what speaks against it"]
    applies: Annotated[str, "when to use it"]


def discussion(arms: Sequence[Mapping[str, Any]], baseline: str) -> list[RemedyDiscussion]:
    """Discuss each remedy among the arms of a document, with its numbers.

    >>> accuracy = {"median": 0.98, "stuck": 1, "values": [0.98] * 20}
    >>> arms = [{"name": "batch-norm", "test_accuracy": accuracy, "total_dex": -0.3}]
    >>> (found,) = discussion(arms, baseline="sigmoid")
    >>> print(found["numbers"])
    median test accuracy 0.980, 1 of 20 stuck, -0.3 dex between the first and the last hidden layer
    >>> print(found["strength"])
    It takes the mean off and brings every layer to the same scale, at any depth.
    """
    base = next((arm for arm in arms if arm["name"] == baseline), None)
    return [
        {
            "arm": arm["name"],
            "numbers": _numbers(arm, base),
            "strength": DISCUSSED[arm["name"]].strength,
            "weakness": DISCUSSED[arm["name"]].weakness,
            "applies": DISCUSSED[arm["name"]].applies,
        }
        for arm in arms
        if arm["name"] in DISCUSSED
    ]


def _numbers(arm: Mapping[str, Any], base: Mapping[str, Any] | None) -> str:
    accuracy = arm["test_accuracy"]
    parts = [f"median test accuracy {_share(accuracy['median'])}"]
    if base is not None:
        parts[0] += f" against {_share(base['test_accuracy']['median'])} of the {base['name']}"
    parts.append(f"{accuracy['stuck']} of {len(accuracy['values'])} stuck")
    if arm["total_dex"] is not None:
        parts.append(f"{arm['total_dex']:+.1f} dex between the first and the last hidden layer")
    return ", ".join(parts)


def _share(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.3f}"
