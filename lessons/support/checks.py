"""What an answer to a lesson's exercise is worth: right or not, and what to look at next.

Pure functions. The right numbers are computed from the package's theory and specifications; those
of lesson 6 are kept as digests, so that they cannot be read here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from typing import NamedTuple

from undertow.errors import NoCriticalPoint
from undertow.explanation.budget import TERMS
from undertow.studies.experiment import Arm
from undertow.theory.signal.critical import critical
from undertow.theory.signal.maps import variance_profile
from undertow.theory.signal.norm_gains import batch_norm_gain

__all__ = ["TERMS"]


class Verdict(NamedTuple):
    """Whether an answer is right, and what to say to it."""

    right: bool
    said: str


# Lesson 1: nine activations lie between delta of layer 10 and delta of layer 1.
CEILING = 9 * math.log10(4)


def lesson_1(term: str | None, size: float | None) -> Verdict:
    """Largest term of ten sigmoid layers' budget, and its size in decades; the sign is free.

    >>> lesson_1("ceiling", 5.4).right, lesson_1("ceiling", 6.02).right
    (True, False)
    """
    if term is None or size is None:
        return Verdict(False, "Choose a term and give its size.")
    if term != "ceiling":
        return Verdict(
            False, "Look at the waterfall, both sliders as they were: which bar is longest?"
        )
    size = abs(size)
    if abs(size - CEILING) <= 0.05:
        return Verdict(
            True,
            "Right: nine sigmoids lie between the two deltas, each passes on a quarter at most: "
            "9 log₁₀ 4 = 5.42 decades.",
        )
    if abs(size - 10 * math.log10(4)) <= 0.05:
        return Verdict(
            False,
            "You counted ten sigmoids. Delta is taken before an activation: how many lie between "
            "delta of layer 10 and delta of layer 1? The waterfall's number says it too.",
        )
    if 5.55 <= size < 6.0:
        return Verdict(
            False, "That is near the total. Look at the longest bar of a cause, above it."
        )
    return Verdict(
        False,
        "The term is right, the size is not: look at the number beside its bar, with ten layers "
        "and the weights at 1.",
    )


def lesson_1_bonus(term: str | None) -> Verdict:
    """Which term is 0 for tanh."""
    if term == "ceiling":
        return Verdict(True, "Right: tanh's largest slope is 1, and log₁₀ 1 = 0.")
    return Verdict(
        False,
        "Open the same stack with tanh in the playground and look at its waterfall: one bar of the "
        "sigmoid's has gone.",
    )


@cache
def stack_dex(activation: str, layers: int) -> float:
    """Decades from the last of so many layers to the first, weights of variance 1 / fan_in.

    In theory: infinite width, inputs of size 1.

    >>> round(stack_dex("tanh", 50), 3), round(stack_dex("tanh", 100), 3)
    (-0.917, -1.071)
    """
    _, gain = variance_profile(activation, depth=layers, weight_variance=1.0)
    return float(0.5 * sum(math.log10(each) for each in gain[:-1]))


def tanh_dex(layers: int) -> float:
    """Return the same for tanh."""
    return stack_dex("tanh", layers)


def lesson_2(more: float | None) -> Verdict:
    """Decades that another 50 tanh layers cost; the sign is free.

    >>> lesson_2(0.15).right, lesson_2(0.94).right
    (True, False)
    """
    if more is None:
        return Verdict(False, "Give a number of decades.")
    more, first = abs(more), -tanh_dex(50)
    right = -tanh_dex(100) - first
    if abs(more - right) <= 0.03:
        return Verdict(
            True,
            f"Right: {right:.3f}. The gains creep up to 1, gain² ≈ 1 - 1/l, so that delta goes "
            "with the square root of depth: twice the depth costs half of log₁₀ 2.",
        )
    if abs(more - first * 50 / 49) <= 0.06:
        return Verdict(
            False,
            "You extrapolated a line. Look at the figure for tanh: the dashed line is yours; where "
            "do the measured points go?",
        )
    if abs(more - first - right) <= 0.04:
        return Verdict(
            False, "That is the sum over all 99. Asked is what the second fifty add to it."
        )
    way = "much less" if more > right else "more"
    return Verdict(
        False,
        f"It is {way}. In the figure, compare what layers 5 to 10 cost with what 25 to 50 cost: "
        "each doubling costs about the same.",
    )


def edge_of_chaos() -> float:
    """Return the weight variance at which tanh is critical with biases of variance .05."""
    return critical("tanh", 0.05).weight_variance


def lesson_3(variance: float | None) -> Verdict:
    """Weight variance at which tanh's profile is level, bias variance .05.

    >>> lesson_3(1.75).right, lesson_3(2.0).right
    (True, False)
    """
    if variance is None:
        return Verdict(False, "Give a weight variance.")
    right = edge_of_chaos()
    if abs(variance - right) < 0.05:
        return Verdict(True, f"Right: χ = 1 at s = {right:.3f}. It is the edge of chaos.")
    named = {1.0: "Xavier's choice, ", 2.0: "He's choice, "}.get(round(variance, 2), "")
    lean = (
        "left at the input: it vanishes" if variance < right else "right at the input: it explodes"
    )
    return Verdict(
        False,
        f"Set the slider to {named}{variance:g} and look at the profile: it leans to the {lean}. "
        "The number asked for makes it upright.",
    )


ACTIVATIONS = ("relu", "tanh", "gelu", "softplus")


def lesson_3_bonus(activation: str | None) -> Verdict:
    """For which activation no weights are critical, whatever the biases."""
    if activation is None:
        return Verdict(False, "Choose one.")
    try:
        point = critical(activation)
    except NoCriticalPoint as error:
        if "negative bias" in str(error):
            return Verdict(True, f"Right. {str(error).capitalize()}.")
        return Verdict(False, f"{activation} has one where biases vary: try another.")
    return Verdict(
        False,
        f"{activation} has one: weight variance {point.weight_variance:.4g}. Type  undertow "
        "critical  and a name to try another.",
    )


def arms() -> tuple[Arm, ...]:
    """Return the arms of the published table, the baseline first."""
    from undertow.experiments.fashion_remedies import PUBLISHED

    return PUBLISHED


COLUMNS = ("activation", "initial weights", "optimizer and rate", "what else")
ELSE = ("normalisation", "skips", "gradient", "branch_scale", "gain")


def settings(arm: Arm) -> dict[str, str]:
    """Return what an arm is made of, in the columns of the lesson's table."""
    network, training = arm.network, arm.training
    also = []
    if network.normalisation != "none":
        also.append(f"{network.normalisation} normalisation")
    if network.skips:
        also.append("skips " + ", ".join(f"{a} to {b}" for a, b in network.skips))
    if network.gradient != "plain":
        also.append("gradient standardised behind each activation")
    if training.stages:
        also.append("trained in stages of " + ", ".join(str(depth) for depth, _ in training.stages))
    if training.clip:
        also.append("clipping")
    optimizer = {"sgd": "SGD", "adam": "Adam"}[training.optimizer]
    values = (
        network.activation,
        _weights(network.initialisation),
        f"{optimizer}, {training.learning_rate:g}",
        "; ".join(also) or "–",
    )
    return dict(zip(COLUMNS, values, strict=True))


def changes(arm: Arm) -> list[str]:
    """Name the columns in which an arm differs from the baseline."""
    here, base = settings(arm), settings(arms()[0])
    return [column for column in COLUMNS if here[column] != base[column]]


def single_changes() -> set[str]:
    """Return the arms that change exactly one thing."""
    return {arm.name for arm in arms() if len(changes(arm)) == 1}


def key(name: str) -> str:
    """Return an arm's name as a form may call it."""
    return name.replace("-", "_")


def lesson_4(names: Iterable[str] | None) -> Verdict:
    """Which arms of the published table change exactly one thing against the baseline.

    >>> lesson_4(["adam"]).right
    False
    """
    named = set(names or ())
    if not named:
        return Verdict(False, "Tick the arms that change exactly one thing.")
    if "baseline" in named:
        return Verdict(False, "The baseline is what the others are compared with: untick it.")
    by_name = {arm.name: arm for arm in arms()}
    for name in sorted(named & by_name.keys()):
        differ = changes(by_name[name])
        if len(differ) != 1:
            return Verdict(
                False,
                f"{name}: look along its row in the table. {len(differ)} cells differ from the "
                "baseline's, so nobody can say which one did it.",
            )
    if named != single_changes():
        return Verdict(
            False,
            "Those are right, and there are more: look for rows in which a single cell differs "
            "from the baseline's.",
        )
    return Verdict(
        True,
        "Right. The other six also draw other weights: of them the table cannot say what helped.",
    )


def lesson_4_bonus(decades: float | None) -> Verdict:
    """By how many decades the gradient at step 1 moves when the optimizer alone is changed."""
    if decades is None:
        return Verdict(False, "Give a number of decades.")
    if decades == 0:
        return Verdict(
            True,
            "Right: 0, exactly. The first gradient is there before any optimizer has done a thing.",
        )
    return Verdict(
        False, "When is the first gradient computed, before or after the optimizer's first step?"
    )


THOUSAND = 6.0  # decades of the SQUARED norm in a factor of 1,000
SMALL_BATCH_GAIN = 3.12  # squared gain a ReLU layer at batch 4, simulated in wide networks


def lesson_5(layers: float | None) -> Verdict:
    """After how many batch-normalised ReLU layers a gradient is 1,000 times larger, large batch.

    >>> lesson_5(37).right, lesson_5(19).right
    (True, False)
    """
    if layers is None:
        return Verdict(False, "Give a number of layers.")
    gain = batch_norm_gain("relu")
    crossings = THOUSAND / math.log10(gain)
    if 36 <= layers <= 38:
        return Verdict(
            True,
            f"Right: log 1,000 / log 1.211 = {crossings:.2f} crossings, so 37 layers. No choice of "
            "weights changes it: batch normalisation undoes their scale.",
        )
    if abs(layers - crossings / 2) <= 1.5:
        return Verdict(
            False,
            "You took 1.467, the gain of the squared norm. Look at the dashed line of the figure: "
            "it rises by the root of it a layer.",
        )
    if layers > 100:
        return Verdict(
            False, "Gains multiply, they do not add: 1.211 once a layer. Look at a logarithm."
        )
    return Verdict(
        False,
        "Look at the dashed line of the figure: so many decades in 19 crossings; 1,000 times "
        "larger is 3 decades.",
    )


def lesson_5_bonus(layers: float | None) -> Verdict:
    """The same with batches of four samples."""
    if layers is None:
        return Verdict(False, "Give a number of layers.")
    crossings = THOUSAND / math.log10(SMALL_BATCH_GAIN)
    if 12 <= layers <= 14:
        return Verdict(True, f"Right: {crossings:.1f} crossings, so 13 layers.")
    return Verdict(
        False, "As before, with √3.12 in place of 1.211. Set the slider to 4 and look at the slope."
    )


CODES = {
    "UT101": "vanishing gradient",
    "UT102": "exploding gradient",
    "UT103": "dead units",
    "UT106": "updates too large",
    "UT107": "updates too small",
    "UT109": "identical units",
    "UT111": "unscaled inputs",
}
DIGESTS = {  # of layer:code
    "A": "b320057a1f526c653902fba1fb3db1c622ad5a69c8b4da4bf4e47eb9c199f2f9",
    "B": "9990387e1ba13c28d8ea269b08f1b6338af2e44cce408f6ef5e6926e16a65e70",
    "C": "c4eb337fc8dca052a8238bb3ba7daba1b99acb2ef31581e7714ad947c7395d24",
}
CAUSES = {  # of model:code
    "A": "db7aac5d1f0c4044f7594d1c38e64894384ca38286982034a4e1315d521918c6",
    "B": "289c35b14e35a972edee69ff299e404bc9a1d1a8eab6253e9ba160b3853c8fae",
    "C": "0af43d751cde8fd0ee21d71748a981655d36b0dc315584dfb358f649c366567f",
}
EVERY_LAYER = "no single layer"


def digest(*words: str) -> str:
    """Return the SHA-256 of words joined by colons."""
    return sha256(":".join(words).encode()).hexdigest()


def lesson_6(model: str, layer: str | None, code: str | None) -> Verdict:
    """Layer and cause of a sealed model's trouble."""
    if layer is None or code is None:
        return Verdict(False, f"Model {model}: choose a layer and a cause.")
    if digest(layer, code) == DIGESTS[model]:
        return Verdict(True, f"Model {model}: right.")
    if digest(model, code) == CAUSES[model]:
        return Verdict(
            False,
            f"Model {model}: the cause is right. Look again at where it begins: at which layer "
            "does a blue line leave the grey one, and in which panel first?",
        )
    return Verdict(
        False,
        f"Model {model}: compare blue with grey at step 1, then at step 10, panel by panel: is it "
        "one layer, what comes in at the bottom, or the length of the steps?",
    )


def _weights(initialisation: str) -> str:
    if initialisation.startswith("normal("):
        return f"N(0, {initialisation[7:-1].lstrip('0') or '0'})"
    return initialisation.replace("torch_default", "PyTorch's default")
