"""UT110: a layer passes nothing on from the first step: the output is the same for every input."""

from __future__ import annotations

import numpy as np

from undertow.diagnosis.evidence import Evidence
from undertow.diagnosis.flat_ends import saturates
from undertow.diagnosis.rule import Outcome, Passed, Rule, make_found, nowhere


def check(reading: Evidence) -> Outcome:
    """Look for a layer all of whose units are dead, with no gradient behind it."""
    dead = reading.birth("dead_fraction")
    with np.errstate(invalid="ignore"):
        # At the flat ends of a tanh a slope of 0 is round-off, and saturation the cause.
        curved = np.array([not saturates(each) for each in reading.activations])
        whole = (dead >= 1.0) & reading.matrix_or_norm & curved
        nothing = reading.birth("grad_norm") == 0
    layers = nowhere(reading)
    first = int(np.flatnonzero(reading.matrix)[0]) if reading.matrix.any() else 0
    for r in np.flatnonzero(whole.any(1) & nothing[:, first]):
        layers[r] = whole[r]
    where = layers.any(1)
    if not where.any():
        return Passed("every layer has units that are alive")
    place = int(np.flatnonzero(layers.any(0))[0])
    spread = ""
    if reading.has("output_spread"):
        value = np.fmax.reduce(reading.birth("output_spread")[where])
        if np.isfinite(value):
            spread = f"; the output's standard deviation over the batch is {value:.2g}"
    evidence = f"every unit of '{reading.names[place]}' is dead at the first step{spread}"
    return make_found(where, layers, True, evidence)


RULE = Rule(
    "UT110",
    "dead at birth",
    "critical",
    ("dead_fraction", "grad_norm"),
    check,
    before=("UT103",),
    explains=("UT108", "UT101"),
    remedies=("zero-biases", "wider", "leaky-relu"),
)
