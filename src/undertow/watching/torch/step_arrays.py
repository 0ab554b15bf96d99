"""From what was read of one step's weights and calls to the arrays of its row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from undertow.watching.torch import rows, units
from undertow.watching.torch.layer_calls import LayerCalls
from undertow.watching.torch.layers import Module
from undertow.watching.torch.norms import numbers

# Rows of a step's table [6, parameters and one column that is always NaN].
TABLE = ("grad_norm", "grad_mean_abs", "nonfinite", "weight_norm", "update_norm", "update_norm_se")
CHANGES = TABLE[4:]


class RowLayout:
    """Where the numbers of parameters and calls stand in a row of the trace."""

    def __init__(
        self, modules: Sequence[Module], places: Sequence[rows.Place], parameters: Sequence[Any]
    ) -> None:
        self.places, self._parameters = places, parameters
        self._sizes = np.array([*(max(each.numel(), 1) for each in parameters), 1])
        number = {id(parameter): place for place, parameter in enumerate(parameters)}
        self.parameter = np.array(
            [
                -1
                if place.weight is None
                else number[id(modules[place.layer].weights[place.weight].parameter)]
                for place in places
            ]
        )

    def gradients(self, table: np.ndarray) -> dict[str, np.ndarray]:
        """Lay out gradient norms alone, of a table [3, parameters + 1] or longer."""
        norm, _, nonfinite = table[:3, self.parameter]
        return {"grad_norm": norm, "nonfinite": nonfinite}

    def changes(self, table: np.ndarray) -> dict[str, np.ndarray]:
        """Lay out changes of weights and their errors, [2, parameters + 1]."""
        return dict(zip(CHANGES, table[:, self.parameter], strict=True))

    def whole(
        self,
        table: np.ndarray,
        passes: rows.Passes | None,
        deltas: np.ndarray | None,
        calls: LayerCalls,
        distinct: dict[int, float],
    ) -> dict[str, Any]:
        """Lay out all that was measured; `deltas` has an entry a key of `passes`."""
        table[TABLE.index("grad_mean_abs")] /= self._sizes
        arrays: dict[str, Any] = dict(zip(TABLE, table[:, self.parameter], strict=True))
        if deltas is not None and passes:
            by_call = np.vstack([deltas, *passes.values.values()])
            found = np.column_stack([by_call, np.full(len(by_call), np.nan)])
            found = found[:, rows.places_of_keys(self.places, passes.keys)]
            arrays |= zip(("delta_norm", *passes.values), found, strict=True)
            if calls.input_norm is not None:
                size = numbers([calls.input_norm])[0]
                arrays["input_rms"] = size / math.sqrt(max(calls.input_size, 1))
        if distinct:
            arrays["distinct_units"] = units.by_row(self.parameter, self._parameters, distinct)
        if calls.output_spread is not None:
            arrays["output_spread"] = numbers([calls.output_spread])[0]
        return arrays
