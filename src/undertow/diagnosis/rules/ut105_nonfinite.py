"""UT105: a NaN or an Inf, and where it arose."""

from __future__ import annotations

from undertow.diagnosis.evidence import Evidence
from undertow.diagnosis.rule import NotMeasured, Outcome, Passed, Rule, make_found, nowhere


def check(reading: Evidence) -> Outcome:
    """Find the first step with a number that is none."""
    if not any(reading.has(name) for name in ("grad_norm", "loss", "nonfinite")):
        return NotMeasured("the trace holds no gradient and no loss")
    broke = reading.broke_at
    where = broke > 0
    if not where.any():
        return Passed("every number is finite")
    layers, words = nowhere(reading), []
    for event in reading.trace.events:
        r = event.replicate or 0
        if event.kind == "nonfinite" and r < reading.replicates and where[r]:
            if event.layer in reading.names:
                layers[r, reading.names.index(event.layer)] = True
            words.append(event.detail)
    step = int(broke[where].min())
    evidence = f"from step {step} on" + (f": {words[0]}" if words and words[0] else "")
    first = int(reading.steps[0])
    return make_found(where, layers, broke <= first, evidence)


RULE = Rule(
    "UT105",
    "non-finite values",
    "critical",
    (),
    check,
    remedies=("guard-arithmetic", "learning-rate-down", "gradient-clip"),
)
