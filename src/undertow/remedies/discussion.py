"""What is said for and against each remedy, and when it applies: words once, numbers from a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Remedy(NamedTuple):
    """A remedy's strength, its weakness, and where it is the one to take."""

    strength: str
    weakness: str
    applies: str


REMEDIES: dict[str, Remedy] = {
    "init-std-1": Remedy(
        "It makes up for the sigmoid's ceiling with large weights, and changes nothing else.",
        "The size that works depends on the width: it is far from critical elsewhere, and large "
        "weights push units to their flat ends.",
        "Where nothing but the initial weights may change; better, take the critical variance.",
    ),
    "init-std-10": Remedy(
        "No gradient is too small to move a weight.",
        "Nearly every unit is saturated from the start, so a few lucky ones make the gradient.",
        "Nowhere; it shows that more is not better.",
    ),
    "relu": Remedy(
        "Active units pass a gradient on undiminished.",
        "Half of the units are not active, and these weights are below He's: a gradient still "
        "shrinks from layer to layer, so learning begins late.",
        "Almost everywhere, but with He's weights.",
    ),
    "adam": Remedy(
        "Its steps do not depend on the size of a gradient, so the lowest layers move.",
        "The gradient is as small as before: the lowest layers move by the sign of what arrives, "
        "however little that says.",
        "With networks that are nearly right; it hides a vanished gradient rather than curing it.",
    ),
    "batch-norm": Remedy(
        "It takes the mean off and brings every layer to the same scale, at any depth.",
        "It needs batches of some size, couples their samples, and in deep ReLU networks without "
        "skips makes gradients grow from layer to layer.",
        "With convolutions and dense layers, batches of 16 and more, and skips where it is deep.",
    ),
    "tensor-norm": Remedy(
        "It is batch normalisation without parameters, statistics or a difference at test time.",
        "One mean for all units leaves each unit's own mean in; a test answer depends on its "
        "neighbours in the batch.",
        "As a demonstration; layer normalisation does it a sample at a time.",
    ),
    "skip": Remedy(
        "A gradient takes the short way: it crosses three layers in place of seven.",
        "The layers off the short way still get little.",
        "At any depth, best around every layer or two, with branches scaled down.",
    ),
    "layer-wise": Remedy(
        "Each stage but the last trains few layers, so its gradients arrive.",
        "Frozen layers keep what suited an earlier task, each new output layer starts again, and a "
        "deeper stage can be worse than the one before.",
        "Hardly today; historically as pre-training, with a better objective for each layer.",
    ),
    "gradient-norm": Remedy(
        "No gradient vanishes: each has a standard deviation of 1 an entry.",
        "An entry of a mean loss should shrink with batch and width; a standard deviation of 1 is "
        "a step of thousands, and its mean, which held the direction, is taken off.",
        "Nowhere as published; scale whole layers to a norm that comes from the error.",
    ),
    "critical": Remedy(
        "Sigmoid layers become tanh layers in disguise: centred, neither shrinking nor growing.",
        "Biases must be tied to the weights at the start, and training may undo both.",
        "Where a sigmoid is required.",
    ),
    "tanh-lecun": Remedy(
        "Centred by itself, and critical with these weights: a power law in place of a decay.",
        "Saturates where inputs or steps are large.",
        "Up to some tens of layers without normalisation.",
    ),
    "relu-he": Remedy(
        "Critical for ReLU: on average a gradient neither shrinks nor grows.",
        "On average only: narrow deep networks vary by decades, and units can die.",
        "The default for ReLU networks without normalisation.",
    ),
    "selu": Remedy(
        "Activations are drawn to mean 0 and variance 1 by themselves.",
        "Holds for dense layers with LeCun's weights, and gradients grow slowly with depth.",
        "Dense networks without normalisation.",
    ),
    "layer-norm": Remedy(
        "Needs no batch: every sample by itself, the same at test time.",
        "It takes off the mean over units of a sample, not each unit's mean over samples, which is "
        "what a sigmoid suffers from.",
        "Recurrent networks and transformers, or batches that are too small.",
    ),
    "residual-scaled": Remedy(
        "A gradient reaches every layer, and scaled branches keep the sum from growing.",
        "Needs layers of one width, or a projection.",
        "At any depth; the first thing to try beyond ten layers.",
    ),
    "gradient-clip": Remedy(
        "A seat belt against steps that are too large.",
        "It makes gradients smaller, never larger: against vanishing it does nothing.",
        "Recurrent networks, and gradients that explode now and then.",
    ),
    "gradient-unit": Remedy(
        "Every layer gets a gradient of one size, in its own direction.",
        "What is descended is no longer the gradient of a loss, and a direction that has become "
        "noise is amplified as well.",
        "As the form in which the published gradient normalisation can train at all.",
    ),
    "adam-only": Remedy(
        "The same network: what Adam itself does is seen apart from the weights' scale.",
        "The gradient at the start is, to the last digit, that of the baseline.",
        "To tell what is due to the optimizer.",
    ),
    "placebo": Remedy(
        "It shows how far two arms come apart by chance.",
        "It cures nothing.",
        "Beside every comparison.",
    ),
}


def discussion(arms: Sequence[Mapping[str, Any]], baseline: str) -> list[dict[str, str]]:
    """Discuss each remedy among the arms of a document, with its numbers.

    >>> discussion([], "baseline")
    []
    """
    base = next((arm for arm in arms if arm["name"] == baseline), None)
    return [
        {"arm": arm["name"], "numbers": _numbers(arm, base), **REMEDIES[arm["name"]]._asdict()}
        for arm in arms
        if arm["name"] in REMEDIES
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
