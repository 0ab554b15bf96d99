"""What helps against each cause, in the order of the effect to be expected.

The names are those of the laboratory's arms where it has one; the others change what no arm
changes: the data, the batch, the step size or the user's own code.
"""

from __future__ import annotations

from undertow.diagnosis.evidence import Evidence
from undertow.diagnosis.rules import RULES

BY_CODE = {rule.code: rule.remedies for rule in RULES}


def remedies(code: str, evidence: Evidence, found: str) -> tuple[str, ...]:
    """Name the remedies for a cause, the one with most effect first; `found` is its sentence."""
    named = BY_CODE[code]
    return named(evidence, found) if callable(named) else named
