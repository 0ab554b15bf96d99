"""Arithmetic that makes NaN or Inf."""

from __future__ import annotations

from undertow.remedies.remedy import Remedy

REMEDY = Remedy(
    name="guard-arithmetic",
    advice="look for log(0), sqrt(0), 0/0 or NaN in the data at that place",
)
