"""The place at which the first NaN or Inf of a step arose, and the words that say it."""

from __future__ import annotations

from typing import NamedTuple

IN_WEIGHT = "on the way forward: in its weight, before the update"
IN_INPUT = "on the way forward: in what it reads, made after {before}"
IN_OUTPUT = "on the way forward: in its output; what it reads is finite"
IN_LOSS = "in the loss; every layer's output is finite"
IN_LOGGED_LOSS = "in the logged loss"
IN_DELTA = "on the way back: in the delta at its output; the way forward is finite"
FROM_LOSS = " up to the loss, which it comes from"
IN_GRADIENT = "in its gradient; every delta that was seen here is finite"


class Origin(NamedTuple):
    """The layer, None where it is none's; `forward` tells a fault on the way to the loss."""

    layer: str | None
    words: str
    forward: bool
