"""UT104: units at the flat ends of a sigmoid or a tanh."""

from __future__ import annotations

import numpy as np

from undertow.diagnosis.reading import FLAT_AT_BOTH_ENDS, Reading
from undertow.diagnosis.rule import NotApplicable, Outcome, Passed, Rule, found


def check(reading: Reading) -> Outcome:
    """Count (unit, sample) pairs whose slope is under 5 % of the largest."""
    flat = np.array([each in FLAT_AT_BOTH_ENDS for each in reading.activations])
    # The network's own output may be as sure of itself as it likes.
    may = flat & ~reading.is_output
    if not may.any():
        return NotApplicable("no hidden layer has an activation that is flat at both ends")
    start, end = reading.start("saturated_fraction"), reading.end("saturated_fraction")
    limit = reading.limits.saturated
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
    return found(where, layers, at_birth, evidence)


RULE = Rule("UT104", "saturated units", "critical", ("saturated_fraction",), check)
