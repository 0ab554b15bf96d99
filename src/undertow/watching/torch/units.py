"""What is told of units and outputs now and then: units alike, and how far outputs spread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from undertow.watching.torch.layers import Module, is_turned
from undertow.watching.torch.norms import Number

NEAR = 2e-6  # of the size of what is compared: float32's round-off in a sum of thousands
_NO_UNITS = ("embedding", "attention", "prelu")


@torch.no_grad()
def distinct_units(weight: Tensor) -> float:
    """Return the share of units whose incoming weights differ from those of every other unit.

    The engines' way (`engine/common/norms.py`) is exact and takes several times the weights'
    memory, which a user's network may not leave. Here units, along the first dim, are projected
    on one random direction, on which only equal ones fall together (but for one in a million, by
    round-off).

    >>> distinct_units(torch.ones(4, 3)), distinct_units(torch.eye(3))
    (0.0, 1.0)
    """
    rows = weight.detach().flatten(1).float()
    if len(rows) < 2:
        return 1.0
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(rows.shape[1], generator=generator).to(rows.device)
    near = NEAR * torch.linalg.vector_norm(rows, dim=1).amax() * torch.linalg.vector_norm(direction)
    places = (rows @ direction).sort().values
    close = places.diff() <= near  # NaN is close to nothing
    alone = torch.ones(len(rows), dtype=torch.bool, device=rows.device)
    alone[1:] &= ~close
    alone[:-1] &= ~close
    return alone.double().mean().item()


def distinct_by_parameter(modules: Sequence[Module]) -> dict[int, float]:
    """Return the share of distinct units of each weight that has units, by its identity."""
    found = {}
    for module in modules:
        for weight in module.weights:
            parameter = weight.parameter
            has_units = module.kind not in _NO_UNITS and parameter.dim() >= 2
            is_whole = parameter.layout == torch.strided and not hasattr(parameter, "to_local")
            if has_units and is_whole and parameter.is_floating_point():
                transposed = getattr(module.module, "transposed", False)
                turned = transposed or is_turned(module.module, parameter)
                held = parameter.transpose(0, 1) if turned else parameter
                found[id(parameter)] = distinct_units(held)
    return found


def output_spread(output: Tensor) -> Number | None:
    """Return the standard deviation over the samples (and positions), a mean over the outputs.

    >>> output_spread(torch.tensor([[1.0, 0.0], [3.0, 0.0]]))
    0.5
    """
    if not output.is_floating_point() or output.dim() < 1 or output.numel() == 0:
        return None
    rows = output.detach().reshape(len(output), -1) if output.dim() < 3 else None
    if rows is None:
        rows = output.detach().flatten(0, -2)
    found = rows.float().std(0, correction=0).mean()
    return found.item() if found.is_cpu else found


def by_row(places: np.ndarray, parameters: Sequence[Tensor], found: dict[int, float]) -> np.ndarray:
    """Arrange values by parameter as the rows of a trace; NaN where there is none."""
    by_place = [found.get(id(parameter), np.nan) for parameter in parameters]
    return np.array([*by_place, np.nan])[places]
