"""The place at which the first NaN or Inf of a step arose."""

from __future__ import annotations

from typing import NamedTuple


class Origin(NamedTuple):
    """The layer, None where it is none's; `forward` tells a fault on the way to the loss."""

    layer: str | None
    words: str
    forward: bool
