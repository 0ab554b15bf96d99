"""The scale that mixed precision puts on the loss, and the updates that it leaves out."""

from __future__ import annotations

import math
from typing import Any


class LossScale:
    """Follows a `GradScaler`, or stands for its absence."""

    def __init__(self, scaler: Any) -> None:
        self._scaler = scaler if scaler is not None and scaler.is_enabled() else None
        self._before = self.now()

    @property
    def used(self) -> bool:
        """Tell whether there is a scaler that scales."""
        return self._scaler is not None

    def now(self) -> float:
        """Return what the loss is multiplied by."""
        return float(self._scaler.get_scale()) if self._scaler else 1.0

    def skipped(self) -> int:
        """Return how many updates were left out since this was asked before.

        The scaler says so only by its scale: each time it falls by the same factor.
        """
        if not self._scaler:
            return 0
        before, self._before = self._before, self.now()
        if not 0 < self._before < before:
            return 0
        factor = self._scaler.get_backoff_factor()
        return max(1, round(math.log(self._before / before) / math.log(factor)))
