"""What reads one step of a training: the contract of every watcher with the session that runs it.

A new framework is watched by one meter. `tests/conformance` holds it to the promises below, on
networks of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from undertow.trace.record import Layer
from undertow.watching.core.origin import Origin


class Look(NamedTuple):
    """How closely a step is to be read.

    >>> Look(calls=True, whole=False, rare=False).calls
    True
    """

    calls: bool  # what passes through layers: deltas and activations
    whole: bool  # weights and updates too
    rare: bool  # with `whole`: also what is looked at in steps 1, 2, 4, 8 and so on alone


class Meter(Protocol):
    """Reads one step; a session tells it which, and takes NumPy arrays.

    A meter promises

    - not to change a bit of the training, nor a random number, whether it reads or not;
    - to read nothing, and to leave nothing on the model, between `detach` and `begin_step`;
    - gradients accumulated over the step, without the scale of mixed precision, before clipping;
    - NaN for what did not arrive, and no array for what was not measured: never 0;
    - layers that are the same, and in the same order, from the first `values` on;
    - norms as NumPy arrays, computed so that 40 decades survive.

    The session promises to ask for `values` at the end of a step that it began, and once.
    """

    dtype: np.dtype  # in which layers' numbers are kept

    @property
    def passes(self) -> int:
        """How many backward passes of this step were read."""
        ...

    @property
    def count(self) -> int:
        """How many layers there are to be seen."""
        ...

    @property
    def is_shared(self) -> bool:
        """Whether several processes train the model, and agree which steps are recorded."""
        ...

    @property
    def is_scaled(self) -> bool:
        """Whether the loss is scaled, so that updates whose gradients overflow are left out."""
        ...

    def begin_step(self, look: Look) -> None:
        """Forget the step before, and read the next."""
        ...

    def detach(self) -> None:
        """Read nothing until the next `begin_step`."""
        ...

    def values(self, step: int, due: int | None) -> tuple[dict[str, Any], int | None]:
        """Return the row of the step, and the step to be recorded next.

        The row has an array [layers] or a number for each variable of the schema that was measured.
        `due` is what this process would record next; where several have to agree, the answer is
        what all do, else `due` itself. None stands for a step of which no others know.
        """
        ...

    def origin(self, loss: float | None) -> Origin | None:
        """Return where the first NaN or Inf of this step arose; None where there is none."""
        ...

    def total_norm(self) -> float:
        """Return the norm of all gradients that the last backward pass has reached."""
        ...

    def layers(self) -> tuple[Layer, ...]:
        """Describe the layers, in the order in which arrays have them."""
        ...

    def unseen(self) -> Mapping[str, str]:
        """Return the layers of which something could not be seen in this step, and why."""
        ...

    def facts(self) -> Mapping[str, Any]:
        """Return what a trace says of the training beside its numbers: device, dtype, and so on."""
        ...
