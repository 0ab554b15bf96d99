"""What helps against each cause, in the order of the effect to be expected.

The names are those of the laboratory's arms where it has one; the others change what no arm
changes: the data, the batch, the step size or the user's own code.
"""

from __future__ import annotations

from undertow.diagnosis.reading import FLAT_AT_BOTH_ENDS, Reading

# Name -> what to do.
ADVICE = {
    "batch-norm": "normalise each layer's output over the batch",
    "residual-scaled": "add each layer's input to its output, branches scaled by 1 / sqrt(depth)",
    "critical": "draw the initial weights at the activation's critical variance (ut.critical)",
    "relu-he": "ReLU, with He's initial weights",
    "tanh-lecun": "tanh, with LeCun's initial weights",
    "selu": "SELU, with LeCun's initial weights",
    "layer-norm": "normalise each sample's activations over the units",
    "gradient-clip": "clip the gradient's norm",
    "learning-rate-down": "divide the learning rate by ten",
    "learning-rate-up": "multiply the learning rate by ten",
    "warm-up": "let the learning rate grow over the first hundred steps",
    "standardise-inputs": "subtract the inputs' mean and divide by their standard deviation",
    "larger-batch": "take batches of 16 and more",
    "random-weights": "draw the initial weights at random: equal ones never part",
    "zero-biases": "begin with biases of 0",
    "leaky-relu": "leaky ReLU: its units cannot die",
    "wider": "more units a layer: a layer of n is born dead with a chance of 2^-n",
    "reattach": "look for detach(), no_grad(), .data or an unused module before that layer",
    "unfreeze": "requires_grad_(True), unless it is frozen on purpose",
    "give-to-optimizer": "give those weights to the optimizer",
    "guard-arithmetic": "look for log(0), sqrt(0), 0/0 or NaN in the data at that place",
}

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


def remedies(code: str, reading: Reading, evidence: str) -> tuple[str, ...]:
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


def _vanishing(reading: Reading) -> tuple[str, ...]:
    activations = set(reading.activations)
    if "sigmoid" in activations:  # layer normalisation would not help: the mean stays
        return ("batch-norm", "residual-scaled", "tanh-lecun", "critical")
    if _is_flat(reading):
        return ("tanh-lecun", "batch-norm", "residual-scaled")
    return ("relu-he", "batch-norm", "residual-scaled")


def _is_flat(reading: Reading) -> bool:
    return any(each in FLAT_AT_BOTH_ENDS for each in reading.activations)
