"""UT113: the initial weights are off the critical scale, as theory foretold."""

from __future__ import annotations

import numpy as np

from undertow.diagnosis.evidence import Evidence
from undertow.diagnosis.rule import NotMeasured, Outcome, Passed, Rule, make_found, nowhere
from undertow.diagnosis.threshold import Threshold

OFF_CRITICAL = Threshold(
    "off_critical",
    2.5,
    "dex",
    "Predicted total dex, as loss or gain, of an initialisation.",
    gt=0,
    place=20,
)

AGREES = 0.5  # of the predicted dex has to be measured


def check(reading: Evidence) -> Outcome:
    """Compare the predicted total with the critical one, 0, and with what was measured."""
    expected = reading.predicted or (reading if reading.trace.source == "predicted" else None)
    if expected is None:
        return NotMeasured("no prediction was given: type  ut.diagnose(trace, predicted=...)")
    total = float(expected.total[0]) if expected.replicates else float("nan")
    if np.isnan(total):
        return NotMeasured("the prediction holds no delta")
    if abs(total) < reading.limit(OFF_CRITICAL):
        return Passed(f"predicted {total:+.1f} dex")
    measured = reading.total
    with np.errstate(invalid="ignore"):
        where = measured * np.sign(total) > AGREES * abs(total)
    if not where.any():
        return Passed(f"predicted {total:+.1f} dex, which was not measured")
    layers = nowhere(reading)
    layers[:, np.flatnonzero(reading.hidden)[:1]] = True
    way = "lose" if total < 0 else "gain"
    evidence = (
        f"theory expects delta to {way} {abs(total):.1f} decades with these initial weights; "
        f"measured {np.nanmedian(measured[where]):+.1f} dex"
    )
    return make_found(where, layers, True, evidence)


RULE = Rule(
    "UT113",
    "initialisation off critical",
    "critical",
    (),
    check,
    before=("UT101",),
    remedies=("critical", "batch-norm", "residual-scaled"),
)
