"""Layers that take no part in a training: unused, or frozen on purpose. Notes, and no faults."""

from __future__ import annotations

from collections import Counter

import numpy as np

from undertow.diagnosis.evidence import Evidence
from undertow.diagnosis.shared_thresholds import HALF_FALLEN
from undertow.trace.schema import NOT_CALLED

MOST = 0.5  # of the matrices: so many are not frozen on purpose, unless something says so


def unused(reading: Evidence) -> np.ndarray:
    """Mark the layers that no forward pass reached, while the loss fell without them, [L].

    Where the loss did not fall they may have been meant to run.
    """
    not_seen = reading.trace.attributes.get("not_seen") or {}
    marks = np.array([not_seen.get(name) == NOT_CALLED for name in reading.names], bool)
    return marks & (not reading.idle.any())


def frozen_on_purpose(reading: Evidence) -> np.ndarray:
    """Mark the frozen layers that someone seems to have wanted so, [L].

    The gradient passes through them to others, as through what stands under adapters; or each has a
    trained twin of its shape, as a moving average of another network has, and the layers of a body
    of which a part is frozen; or they are the smaller part; or the loss has halved, or the accuracy
    risen, with them as they are.
    """
    frozen = ~reading.trainable & reading.matrix_or_norm
    if not frozen.any():
        return frozen
    passes = np.zeros(reading.layers, bool)
    if reading.has("delta_norm"):
        passes = (np.nan_to_num(reading.array("delta_norm")) > 0).any((0, 1))
    with np.errstate(invalid="ignore"):
        learned = bool(((reading.fall >= reading.limit(HALF_FALLEN)) | reading.risen).all())
    closed = frozen & ~passes & reading.matrix
    few = closed.sum() <= MOST * reading.matrix.sum()
    trained = _shapes(reading, reading.matrix & reading.trainable)
    twins = not _shapes(reading, closed) - trained
    return frozen & (passes | learned | twins | few)


def notes(reading: Evidence) -> tuple[str, ...]:
    """Say in a line each which layers take no part."""
    found = []
    if (marks := unused(reading)).any():
        found.append(f"{reading.listed(marks)}: not used, for no forward pass reached it")
    if (marks := frozen_on_purpose(reading) & reading.matrix).any():
        found.append(f"{reading.listed(marks)}: frozen, for requires_grad is False")
    return tuple(found)


def _shapes(reading: Evidence, marks: np.ndarray) -> Counter[tuple[str, int, int]]:
    """Count the kinds and sizes of the marked layers."""
    places = np.flatnonzero(marks).tolist()
    return Counter(
        (reading.kinds[i], int(reading.fan_in[i]), int(reading.fan_out[i])) for i in places
    )
