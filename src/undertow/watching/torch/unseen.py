"""The layers of which something could not be seen, and why."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from undertow.trace.schema import NOT_CALLED
from undertow.watching.torch.layers import Module

NO_GRADIENT = "no gradient came to it"


def unseen(
    modules: Sequence[Module],
    nonfinite: np.ndarray,
    places: Mapping[int, int],
    missed: Mapping[int, str],
    called: Collection[int],
) -> dict[str, str]:
    """Return the layers of which something could not be seen in a step, each with the reason.

    `nonfinite` counts the NaN and Inf in the gradient of each parameter, whose place is found by
    its identity, and is NaN where none came; `missed` says of layers why their calls were not seen.
    """
    found = {}
    for layer, module in enumerate(modules):
        arrived = [places[id(weight.parameter)] for weight in module.weights]
        frozen = not any(weight.parameter.requires_grad for weight in module.weights)
        name = module.path or type(module.module).__name__
        if np.isnan(nonfinite[arrived]).all() and not frozen:
            found[name] = NOT_CALLED if called and layer not in called else NO_GRADIENT
        elif layer in missed:
            found[name] = missed[layer]
    return found
