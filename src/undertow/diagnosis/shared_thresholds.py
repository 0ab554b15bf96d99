"""Thresholds that several rules compare with, or the verdict."""

from __future__ import annotations

from undertow.diagnosis.threshold import Threshold

VANISHING_IDLE = Threshold(
    "vanishing_idle",
    -1.5,
    "dex",
    "The same where the loss does not fall although the last layers move.",
    lt=0,
    place=2,
)
EXPLODING_IDLE = Threshold(
    "exploding_idle",
    1.5,
    "dex",
    "The same where the loss does not fall, or is not a number any more.",
    gt=0,
    place=4,
)
DOUBTFUL = Threshold(
    "doubtful",
    -3.0,
    "dex",
    "Total dex of a single recorded step from which on neither health nor sickness is claimed.",
    lt=0,
    place=5,
)
DOUBTFUL_LAYER = Threshold(
    "doubtful_layer",
    -0.58,
    "dex a layer",
    "The same where each layer takes so much on average, and vanishing_idle is passed: a "
    "sigmoid's ceiling alone takes .6; with PyTorch's first weights a ReLU layer takes .4, a "
    "GELU or SiLU layer .5.",
    lt=0,
    place=6,
)
AT_ONCE = Threshold(
    "at_once",
    1.7,
    "dex",
    "What a gradient may lose or gain for good in one layer: a factor of 50. A sigmoid takes "
    ".6 to .9.",
    gt=0,
    place=8,
)
LARGE_UPDATE = Threshold(
    "large_update",
    0.2,
    "of the weight's norm, a step",
    "A weight that changes by a fifth in each step keeps nothing of what it learned.",
    gt=0,
    place=12,
)
WHOLE_UPDATE = Threshold(
    "whole_update",
    1.0,
    "of the weight's norm, a step",
    "In one step most weights become others: whatever the loss does, the start is lost.",
    gt=0,
    place=13,
)
FALLEN = Threshold(
    "fallen",
    0.1,
    "of the first loss",
    "A loss that falls by less does not fall.",
    gt=0,
    lt=1,
    place=21,
)
HALF_FALLEN = Threshold(
    "half_fallen",
    0.5,
    "of the first loss",
    "Where most hidden layers are left out of the optimizer the rest may still learn a little.",
    gt=0,
    lt=1,
    place=22,
)
STEPS = Threshold(
    "steps",
    50,
    "steps",
    "So many have to pass before a loss that does not fall means anything.",
    ge=2,
    place=24,
)
