"""Biases that begin at 0."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy

REMEDY = Remedy(
    name="zero-biases",
    advice="begin with biases of 0",
)
