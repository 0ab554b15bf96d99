"""What helps against each cause, in the order of the effect to be expected.

The names are those of the laboratory's arms where it has one; the others change what no arm
changes: the data, the batch, the step size or the user's own code.
"""

from __future__ import annotations

from undertow.diagnosis.evidence import FLAT_AT_BOTH_ENDS, Evidence

_BY_CODE = {
    "UT102": ("relu-he", "residual-scaled", "layer-norm", "gradient-clip"),
    "UT103": ("leaky-relu", "zero-biases", "learning-rate-down", "relu-he"),
    "UT104": ("tanh-lecun", "batch-norm", "zero-biases"),
    "UT105": ("guard-arithmetic", "learning-rate-down", "gradient-clip"),
    "UT106": ("learning-rate-down", "warm-up"),
    "UT107": ("learning-rate-up",),
    "UT108": ("reattach",),
    "UT109": ("random-weights",),
    "UT110": ("zero-biases", "wider", "leaky-relu"),
    "UT111": ("standardise-inputs", "batch-norm"),
    "UT112": ("larger-batch", "layer-norm"),
    "UT113": ("critical", "batch-norm", "residual-scaled"),
    "UT114": ("learning-rate-down", "warm-up", "gradient-clip"),
}


def remedies(code: str, reading: Evidence, evidence: str) -> tuple[str, ...]:
    """Name the remedies for a cause, the one with most effect first."""
    if code == "UT101":
        return _vanishing(reading)
    if code == "UT102" and "batch_norm" in reading.kinds:
        return ("residual-scaled", "layer-norm", "gradient-clip")
    if code == "UT102" and _is_flat(reading):
        return ("tanh-lecun", "critical", "layer-norm", "gradient-clip")
    if code == "UT107" and "no optimizer" in evidence:
        return ("give-to-optimizer",)
    if code == "UT108" and "frozen" in evidence:
        return ("unfreeze",)
    return _BY_CODE[code]


def _vanishing(reading: Evidence) -> tuple[str, ...]:
    activations = set(reading.activations)
    if "sigmoid" in activations:  # layer normalisation would not help: the mean stays
        return ("batch-norm", "residual-scaled", "tanh-lecun", "critical")
    if _is_flat(reading):
        return ("tanh-lecun", "batch-norm", "residual-scaled")
    return ("relu-he", "batch-norm", "residual-scaled")


def _is_flat(reading: Evidence) -> bool:
    return any(each in FLAT_AT_BOTH_ENDS for each in reading.activations)
