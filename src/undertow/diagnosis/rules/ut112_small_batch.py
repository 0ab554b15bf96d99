"""UT112: batch normalisation over so few samples that its statistics are noise."""

from __future__ import annotations

import numpy as np

from undertow.diagnosis.evidence import Evidence
from undertow.diagnosis.rule import NotApplicable, NotMeasured, Outcome, Passed, Rule, make_found
from undertow.diagnosis.shared_thresholds import EXPLODING_IDLE
from undertow.diagnosis.threshold import Threshold

SMALL_BATCH = Threshold(
    "small_batch",
    2,
    "samples",
    "Batch normalisation over two samples makes each the negative of the other.",
    ge=1,
    place=18,
)
SMALL_BATCH_IDLE = Threshold(
    "small_batch_idle",
    8,
    "samples",
    "The same where the loss does not fall or the gradient grows: under batch normalisation a "
    "linear layer multiplies the gradient's square by (B - 2) / (B - 3), a ReLU layer by more.",
    ge=1,
    place=19,
)


def check(reading: Evidence) -> Outcome:
    """Compare the batch with what batch normalisation needs; positions of pictures count too."""
    normed = [i for i, kind in enumerate(reading.kinds) if kind == "batch_norm"]
    dense = [i for i in normed if not _after_convolution(reading, i)]
    if not dense and reading.batch_normalised_without_layers:
        dense = [int(i) for i in np.flatnonzero(reading.hidden)[:1]]
    if not dense:
        return NotApplicable(
            "it has convolutions before each batch normalisation"
            if normed
            else "it has no batch normalisation"
        )
    batch = reading.batch
    if batch is None:
        return NotMeasured("the trace does not say how large a batch is")
    with np.errstate(invalid="ignore"):
        suffers = reading.idle | (reading.total > reading.limit(EXPLODING_IDLE))
    where = np.full(reading.replicates, batch <= reading.limit(SMALL_BATCH))
    where |= suffers & (batch <= reading.limit(SMALL_BATCH_IDLE))
    if not where.any():
        return Passed(f"a batch has {batch} samples")
    layers = np.zeros((reading.replicates, reading.layers), bool)
    layers[:, dense] = True
    return make_found(where, layers, True, f"batch normalisation over {batch} samples")


def _after_convolution(reading: Evidence, place: int) -> bool:
    """Tell whether it norms pictures: the layer before it, or else the one after it, is one."""
    before = np.flatnonzero(reading.matrix[:place])
    after = place + np.flatnonzero(reading.matrix[place:])
    near = [*before[-1:], *after[:1]]
    return bool(near) and reading.kinds[near[0]] == "conv"


RULE = Rule(
    "UT112",
    "batch too small for its batch normalisation",
    "serious",
    (),
    check,
    before=("UT113",),
    explains=("UT102",),
    remedies=("larger-batch", "layer-norm"),
)
