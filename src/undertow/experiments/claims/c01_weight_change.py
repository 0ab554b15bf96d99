"""Claim 1: the first layer's weights hardly change with sigmoid, and change much with ReLU."""

from __future__ import annotations

from undertow.experiments.claims.wording import beats, chance, median
from undertow.studies.experiment import Arms, Claim, ClaimVerdict, decide
from undertow.trace import readings


def _judge(arms: Arms) -> ClaimVerdict:
    holds, words = [], []
    for optimizer, sigmoid, relu in (
        ("Adam", arms["sigmoid"], arms["relu"]),
        ("SGD", arms["sigmoid-sgd"], arms["relu-sgd"]),
    ):
        of_sigmoid, of_relu = readings.percent_change(sigmoid), readings.percent_change(relu)
        holds.append(beats(of_relu, of_sigmoid))
        gradients = [median(readings.first_gradient(trace)) for trace in (sigmoid, relu)]
        words.append(
            f"{optimizer}: sigmoid {median(of_sigmoid)} %, ReLU {median(of_relu)} %, P(ReLU > "
            f"sigmoid) = {chance(of_relu, of_sigmoid)}; true first gradients {gradients[0]} and "
            f"{gradients[1]}"
        )
    reason = (
        ". Adam divides by the gradient's own size, so its weight changes say nothing of it"
        if holds == [False, True]
        else ""
    )
    return decide(holds, "Median change of layer 1. " + ". ".join(words) + reason + ".")


CLAIM = Claim(
    1,
    "With sigmoid the percent change of the first layer's weights is minimal; with ReLU it is "
    "large.",
    ("sigmoid", "relu", "sigmoid-sgd", "relu-sgd"),
    _judge,
)
