"""A data set as tensors, and the batch that each replicate's order takes from it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from undertow.engine.common import norms


class Samples(NamedTuple):
    """Inputs [samples, features], targets [samples], and each sample's mean square in float64."""

    inputs: Tensor
    targets: Tensor
    squares: Tensor


class Batch(NamedTuple):
    """One batch for every replicate; `squares` is the mean square of its inputs, [R]."""

    inputs: Tensor  # [R, features, batch]
    targets: Tensor  # [R, batch]
    squares: Tensor


def samples(inputs: np.ndarray, targets: np.ndarray, dtype: torch.dtype) -> Samples:
    """Bring a data set into tensors.

    >>> samples(np.full((2, 4), 3.0, np.float32), np.array([0, 1]), torch.float32).squares
    tensor([9., 9.], dtype=torch.float64)
    """
    found = torch.from_numpy(inputs).to(dtype)
    sizes = norms.norm(found.unsqueeze(1)).double()  # of each row
    return Samples(found, torch.from_numpy(targets), sizes.square() / inputs.shape[1])


def batch(of: Samples, places: Tensor) -> Batch:
    """Gather the samples at `places`, [R, batch]."""
    flat = places.reshape(-1)
    inputs = of.inputs.index_select(0, flat).view(*places.shape, -1)
    return Batch(inputs.mT, of.targets[places], of.squares[places].mean(1))
