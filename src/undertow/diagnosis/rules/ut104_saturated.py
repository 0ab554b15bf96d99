"""UT104: units at the flat ends of a sigmoid or a tanh."""

from __future__ import annotations

import numpy as np

from undertow.diagnosis.evidence import Evidence
from undertow.diagnosis.flat_ends import saturates
from undertow.diagnosis.rule import NotApplicable, NotMeasured, Outcome, Passed, Rule, make_found
from undertow.diagnosis.threshold import Threshold

SATURATED = Threshold(
    "saturated",
    0.5,
    "share of (unit, sample)",
    "Slopes under 5 % of the largest, of functions that are flat at both ends.",
    gt=0,
    le=1,
    place=10,
)
GATE_SCALE = Threshold(
    "gate_scale",
    8.0,
    "standard deviation",
    "Of the inputs of a recurrent layer's gates; its usual weights give about .6.",
    gt=1,
    place=11,
)

RECURRENT = ("lstm", "gru", "rnn")


def check(reading: Evidence) -> Outcome:
    """Count (unit, sample) pairs whose slope is under 5 % of the largest."""
    flat = np.array([saturates(each) for each in reading.activations])
    # The network's own output may be as sure of itself as it likes.
    may = flat & ~reading.is_output
    gates = _gates(reading)
    if not may.any() and gates is None:
        return NotApplicable("no hidden layer has an activation that is flat at both ends")
    if gates is not None and gates.any():
        return _found_gates(reading, gates)
    if not may.any():
        return Passed("the weights of its gates are of normal size")
    if not reading.has("saturated_fraction"):
        return NotMeasured("the trace holds no saturated_fraction")
    start, end = reading.start("saturated_fraction"), reading.end("saturated_fraction")
    limit = reading.limit(SATURATED)
    with np.errstate(invalid="ignore"):
        born, now = (start >= limit) & may, (end >= limit) & may
    now &= reading.idle[:, None] | born  # a network that learned may end at its ends
    layers = born | now
    where = layers.any(1)
    if not where.any():
        return Passed(f"at most {100 * np.nanmax(start[:, may], initial=0):.0f} % at the start")
    shares = np.where(layers, np.fmax(start, end), -1.0)
    place = int(np.flatnonzero(layers.any(0))[0])
    evidence = (
        f"{100 * shares[:, place].max():.0f} % of the slopes of '{reading.names[place]}' are under "
        "5 % of the largest"
    )
    with np.errstate(invalid="ignore"):
        at_birth = ((reading.birth("saturated_fraction") >= limit) & layers).any(1)
    return make_found(where, layers, at_birth, evidence)


def _gates(reading: Evidence) -> np.ndarray | None:
    """Mark recurrent weights so large that their gates saturate, [R, L]; None without any.

    A fused kernel shows no gates. With states of size 1 a gate's input has a standard deviation of
    |W| / sqrt(units), and a sigmoid is flat from 4.4 on.
    """
    recurrent = np.array([kind in RECURRENT for kind in reading.kinds])
    if not recurrent.any() or not reading.has("weight_norm"):
        return None
    scale = reading.birth("weight_norm") / np.sqrt(np.maximum(reading.fan_out, 1))
    with np.errstate(invalid="ignore"):
        return (scale > reading.limit(GATE_SCALE)) & recurrent


def _found_gates(reading: Evidence, gates: np.ndarray) -> Outcome:
    place = int(np.flatnonzero(gates.any(0))[0])
    scale = reading.birth("weight_norm")[:, place].max() / np.sqrt(reading.fan_out[place])
    evidence = (
        f"the weights of '{reading.names[place]}' give its gates a standard deviation of "
        f"{scale:.0f}, where they are flat from 4.4 on"
    )
    return make_found(gates.any(1), gates, True, evidence)


RULE = Rule(
    "UT104",
    "saturated units",
    "critical",
    (),
    check,
    before=("UT111",),
    remedies=("tanh-lecun", "batch-norm", "zero-biases"),
)
