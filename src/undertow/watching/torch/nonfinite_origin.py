"""Where the first NaN or Inf of a step arose, in the order in which the numbers were made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from undertow.watching.core.origin import (
    FROM_LOSS,
    IN_DELTA,
    IN_GRADIENT,
    IN_INPUT,
    IN_LOSS,
    IN_OUTPUT,
    IN_WEIGHT,
    Origin,
)
from undertow.watching.torch.layer_calls import LayerCall
from undertow.watching.torch.layers import Module
from undertow.watching.torch.norms import numbers


def origin(
    calls: Sequence[LayerCall],
    modules: Sequence[Module],
    bad_weights: set[int],
    nonfinite: np.ndarray,
    parameters: dict[int, int],
    loss: float | None,
) -> Origin | None:
    """Return where the first tensor that is not finite lies; None if all are.

    `nonfinite` has an entry a parameter, `bad_weights` are the places of those that are not finite
    themselves, and `parameters` maps the identity of a parameter to its place. `loss` is None where
    it is not known.
    """
    forward = sorted(calls, key=lambda call: call.order)
    outputs = numbers([call.output_norm for call in forward])
    before = "the inputs"
    for call, output in zip(forward, outputs, strict=True):
        if np.isfinite(output):
            before = f"'{modules[call.layer].weights[0].name}'"
            continue
        module = modules[call.layer]
        name = module.weights[0].name
        held = [parameters[id(weight.parameter)] for weight in module.weights]
        if bad_weights.intersection(held):
            return Origin(name, IN_WEIGHT, True)
        if _is_bad(call):
            return Origin(name, IN_INPUT.format(before=before), True)
        return Origin(name, IN_OUTPUT, True)
    if loss is not None and not np.isfinite(loss):
        return Origin(None, IN_LOSS, True)
    deltas = numbers([call.delta or 0.0 for call in calls])
    for call, delta in zip(calls, deltas, strict=True):  # in the order of the way back
        if not np.isfinite(delta):
            name = modules[call.layer].weights[0].name
            words = IN_DELTA + FROM_LOSS if call is forward[-1] else IN_DELTA
            return Origin(name, words, False)
    for module in modules:
        held = [parameters[id(weight.parameter)] for weight in module.weights]
        for weight, place in zip(module.weights, held, strict=True):
            if nonfinite[place] > 0:
                return Origin(weight.name, IN_GRADIENT, False)
    return None


def _is_bad(call: LayerCall) -> bool:
    return call.input_norm is not None and not np.isfinite(numbers([call.input_norm])[0])
