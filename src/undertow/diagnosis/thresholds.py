"""The thresholds of the rules: data with a unit and a reason, checked, and printed from here alone.

>>> DEFAULT.vanishing
-4.0
>>> [each.unit for each in describe()][:2]
['dex', 'dex']
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field


def _threshold(default: float, unit: str, reason: str, **limits: Any) -> Any:
    return Field(default, description=reason, json_schema_extra={"unit": unit}, **limits)


class Thresholds(BaseModel):
    """What the rules compare with; every value can be changed, none can be nonsense.

    >>> Thresholds(vanishing=-6.0).vanishing
    -6.0
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    vanishing: float = _threshold(
        -4.0,
        "dex",
        "Total dex from which on a gradient has vanished whatever else is seen. One 10-wide ReLU "
        "network in forty lies 1.2 dex below its kind by its seed alone, and healthy ones lose up "
        "to two.",
        lt=0,
    )
    vanishing_idle: float = _threshold(
        -1.5,
        "dex",
        "The same where the loss does not fall although the last layers move.",
        lt=0,
    )
    exploding: float = _threshold(
        3.5,
        "dex",
        "Total dex from which on a gradient has exploded. Batch normalisation adds .08 dex a ReLU "
        "layer, residual streams one or two in all.",
        gt=0,
    )
    exploding_idle: float = _threshold(
        1.5, "dex", "The same where the loss does not fall, or is not a number any more.", gt=0
    )
    doubtful: float = _threshold(
        -3.0,
        "dex",
        "Total dex of a single recorded step from which on neither health nor sickness is claimed.",
        lt=0,
    )
    doubtful_layer: float = _threshold(
        -0.58,
        "dex a layer",
        "The same where each layer takes so much on average, and vanishing_idle is passed: a "
        "sigmoid's ceiling alone takes .6; with PyTorch's first weights a ReLU layer takes .4, a "
        "GELU or SiLU layer .5.",
        lt=0,
    )
    both_ways: float = _threshold(
        0.4,
        "dex a layer",
        "Of delta on the way back and of the pre-activations on the way forward at once: weights "
        "2.5 times too large.",
        gt=0,
    )
    at_once: float = _threshold(
        1.7,
        "dex",
        "What a gradient may lose or gain for good in one layer: a factor of 50. A sigmoid takes "
        ".6 to .9.",
        gt=0,
    )
    dead: float = _threshold(
        0.7,
        "share of units",
        "Units of a layer with zero slope on the whole batch. Deep ReLU layers see their samples "
        "alike, so that half of the units may rest on a batch in a network that trains.",
        gt=0,
        le=1,
    )
    saturated: float = _threshold(
        0.5,
        "share of (unit, sample)",
        "Slopes under 5 % of the largest, of functions that are flat at both ends.",
        gt=0,
        le=1,
    )
    gate_scale: float = _threshold(
        8.0,
        "standard deviation",
        "Of the inputs of a recurrent layer's gates; its usual weights give about .6.",
        gt=1,
    )
    large_update: float = _threshold(
        0.2,
        "of the weight's norm, a step",
        "A weight that changes by a fifth in each step keeps nothing of what it learned.",
        gt=0,
    )
    whole_update: float = _threshold(
        1.0,
        "of the weight's norm, a step",
        "In one step most weights become others: whatever the loss does, the start is lost.",
        gt=0,
    )
    small_update: float = _threshold(
        1e-5,
        "of the weight's norm, a step",
        "At this rate a weight takes 100,000 steps to become another.",
        gt=0,
    )
    distinct: float = _threshold(
        0.5,
        "share of units",
        "Units whose incoming weights differ from every other's; drawn weights give 1.",
        gt=0,
        le=1,
    )
    large_input: float = _threshold(
        6.0, "root mean square", "Standardised inputs have 1, pictures from 0 to 1 about .3.", gt=1
    )
    small_input: float = _threshold(0.04, "root mean square", "The same.", gt=0, lt=1)
    small_batch: int = _threshold(
        2,
        "samples",
        "Batch normalisation over two samples makes each the negative of the other.",
        ge=1,
    )
    small_batch_idle: int = _threshold(
        8,
        "samples",
        "The same where the loss does not fall or the gradient grows: under batch normalisation a "
        "linear layer multiplies the gradient's square by (B - 2) / (B - 3), a ReLU layer by more.",
        ge=1,
    )
    off_critical: float = _threshold(
        2.5, "dex", "Predicted total dex, as loss or gain, of an initialisation.", gt=0
    )
    fallen: float = _threshold(
        0.1, "of the first loss", "A loss that falls by less does not fall.", gt=0, lt=1
    )
    half_fallen: float = _threshold(
        0.5,
        "of the first loss",
        "Where most hidden layers are left out of the optimizer the rest may still learn a little.",
        gt=0,
        lt=1,
    )
    grown: float = _threshold(
        3.0, "times the first loss", "A loss that grows so far diverges.", gt=1
    )
    steps: int = _threshold(
        50, "steps", "So many have to pass before a loss that does not fall means anything.", ge=2
    )


DEFAULT = Thresholds()


class Described(NamedTuple):
    """A threshold as docs and reports print it."""

    name: str
    value: float
    unit: str
    reason: str


def describe(thresholds: Thresholds = DEFAULT) -> list[Described]:
    """List all thresholds with unit and reason."""
    found = []
    for name, field in Thresholds.model_fields.items():
        extra: Any = field.json_schema_extra
        value = getattr(thresholds, name)
        found.append(Described(name, value, extra["unit"], str(field.description)))
    return found
