"""Norms and shares of one step, for all layers and replicates, without a Python loop over units.

Every function returns [layers, R].
"""

from __future__ import annotations

import torch
from torch import Tensor

from undertow.lab.activations import Activation

SATURATED_BELOW = 0.05
_SAFE = (1e-15, 1e15)  # between these the float32 root of a sum of squares is right
_ODD = 0x1E3779B97F4A7C15  # any odd number with many bits set


def norm(block: Tensor) -> Tensor:
    """Frobenius norm over the last two dims of [layers, R, a, b], exact over 40 decades.

    float32 squares underflow below 1e-22 and overflow above 1e19, so entries are first divided by
    the largest of them. A norm of 0 is then a gradient of 0, and NaN and Inf stay what they are.

    >>> norm(torch.full((1, 1, 2, 2), 1e-30))
    tensor([[2.0000e-30]])
    """
    flat = block.flatten(2)
    range_ = torch.finfo(block.dtype)
    largest = flat.abs().amax(2, keepdim=True)  # vector_norm(ord=inf) is 10 times slower
    unit = largest.clamp(range_.tiny, range_.max)
    return torch.linalg.vector_norm(flat / unit, dim=2) * unit.squeeze(2)


def mean_abs(block: Tensor) -> Tensor:
    """Mean absolute entry; the sum is float64, so a mean that float32 can hold is held."""
    total = torch.linalg.vector_norm(block.flatten(2), ord=1, dim=2, dtype=torch.float64)
    return (total / block[0, 0].numel()).to(block.dtype)


def rms(block: Tensor) -> Tensor:
    """Root mean square of the entries, exact over 40 decades.

    >>> rms(torch.full((1, 1, 2, 2), 1e-30))
    tensor([[1.0000e-30]])
    """
    flat = block.flatten(2)
    root = torch.linalg.vector_norm(flat, dim=2)
    least, most = root.aminmax()
    if not (least > _SAFE[0] and most < _SAFE[1]):  # squares in float64 take twice the time
        root = torch.linalg.vector_norm(flat, dim=2, dtype=torch.float64)
    return (root / flat.shape[2] ** 0.5).to(block.dtype)


def nonfinite(block: Tensor) -> Tensor:
    """How many entries are NaN or Inf."""
    flat = block.flatten(2)
    return flat.shape[2] - torch.isfinite(flat).sum(2, dtype=flat.dtype)


def unit_shares(activation: Activation, slopes: Tensor) -> tuple[Tensor, Tensor]:
    """Return the saturated share of (unit, sample) pairs and the share of dead units.

    `slopes` is [layers, R, units, batch]. A unit is dead if its slope is 0 for every sample.
    """
    sizes = slopes.abs()
    saturated = (sizes < SATURATED_BELOW * activation.steepest).to(slopes.dtype).mean((2, 3))
    dead = (sizes.amax(3) == 0).to(slopes.dtype).mean(2)
    return saturated, dead


def distinct_units(block: Tensor) -> Tensor:
    """Share of units whose incoming weights [fan_in, fan_out] differ from every other unit's.

    Each unit's weights are hashed to one integer and the hashes sorted, so equal units become
    neighbours: no comparison of all pairs. Integers, because a sum of floats depends on its order,
    and PyTorch adds the last columns in another order than those that fill a vector register.

    >>> distinct_units(torch.ones(1, 1, 3, 4))
    tensor([[0.]])
    """
    fan_in, units = block.shape[2:]
    if units == 1:
        return torch.ones(block.shape[:2], dtype=block.dtype)
    integer = torch.int32 if block.element_size() == 4 else torch.int64
    bits = (block + 0.0).view(integer).long() * _ODD  # + 0.0 makes -0.0 the 0.0 it equals
    # Round numbers differ in their high bits alone, which a product never carries down: shift.
    seed = torch.Generator().manual_seed(0)
    factors = torch.randint(-(2**63), 2**63 - 1, (fan_in, 1), generator=seed) | 1
    hashes = ((bits ^ (bits >> 32)) * factors).sum(2)
    places, order = hashes.sort(2)
    numbers = ~block.isnan().any(2).gather(2, order)  # NaN equals nothing
    same = (places[..., 1:] == places[..., :-1]) & numbers[..., 1:] & numbers[..., :-1]
    beside = torch.zeros_like(places, dtype=torch.bool)
    beside[..., 1:] |= same
    beside[..., :-1] |= same
    return (~beside).to(block.dtype).mean(2)
