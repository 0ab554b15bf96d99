"""Norms and shares of a step, for all layers and replicates, without a Python loop over units.

Every function takes [..., a, b] and reduces the last two dims. Comparisons write their 0 and 1 into
floats in place: PyTorch's tensors of bool took ten times as long to count.
"""

from __future__ import annotations

import torch
from torch import Tensor

from undertow.engine.common.activations import TensorActivation
from undertow.trace.schema import SATURATED_BELOW

PART_NUMBERS = 400_000  # 1.6 MB of float32
SAFE_RMS = (1e-15, 1e15)  # here float32 squares neither underflow nor overflow, to 8 digits
SUMMED_AT_ONCE = 2_048  # float32 squares; of more, pieces are, so that six digits hold
_norm = torch.linalg.vector_norm
_ODD = 0x1E3779B97F4A7C15  # any odd number with many bits set


def norm(block: Tensor) -> Tensor:
    """Frobenius norm, exact over 40 decades.

    float32 squares underflow below 1e-22 and overflow above 1e19: sums near either end are taken
    again in float64. A norm of 0 is then a gradient of 0, and NaN and Inf stay what they are.

    >>> norm(torch.full((2, 2), 1e-30))
    tensor(2.0000e-30)
    """
    return _root(block).to(block.dtype)


def rms(block: Tensor) -> Tensor:
    """Root mean square of the entries, exact over 40 decades.

    >>> rms(torch.full((2, 2), 1e-30))
    tensor(1.0000e-30)
    """
    return (_root(block) / _entries(block) ** 0.5).to(block.dtype)


def output_spread(block: Tensor) -> Tensor:
    """Mean over a of the standard deviation over b; `Tensor.std` takes twice as long."""
    centred = block - block.mean(-1, keepdim=True)
    return centred.square_().mean(-1).sqrt_().mean(-1)


def mean_abs(block: Tensor) -> Tensor:
    """Mean absolute entry; each is divided first, so that the sum cannot overflow."""
    return (block.flatten(-2).abs() / _entries(block)).sum(-1)


def nonfinite(block: Tensor, norms: Tensor) -> Tensor:
    """How many entries are NaN or Inf; none where the norm is finite."""
    if norms.isfinite().all():
        return torch.zeros_like(norms)
    zeros = block.flatten(-2) * 0  # NaN where an entry is NaN or Inf
    return zeros.ne_(zeros).sum(-1)


def slope_statistics(
    activation: TensorActivation, z: Tensor, x: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return RMS slope, share of saturated (unit, sample) pairs, and share of dead units.

    `z` and `x` are [..., units, batch], before and after the activation.
    """
    found = []
    for before, after in zip(_parts(z), _parts(x), strict=True):
        slopes = activation.slope(before, after)
        found.append((_sum_root(slopes), *unit_shares(activation, slopes)))
    root, saturated, dead = (
        torch.cat(each).view(z.shape[:-2]) for each in zip(*found, strict=True)
    )
    if not _safe(root, z):
        root = _root(activation.slope(z, x))
    return (root / _entries(z) ** 0.5).to(z.dtype), saturated, dead


def unit_shares(activation: TensorActivation, slopes: Tensor) -> tuple[Tensor, Tensor]:
    """Return the saturated share of (unit, sample) pairs and the share of dead units.

    `slopes` is [..., units, batch], and is used up. A unit is dead if its slope is 0 for every
    sample, and then only is the sum of their sizes 0, which takes half as long as the largest.
    """
    sizes = slopes.abs_()
    dead = sizes.sum(-1).eq_(0.0).mean(-1)
    return sizes.lt_(SATURATED_BELOW * activation.steepest).mean((-2, -1)), dead


def distinct_units(block: Tensor) -> Tensor:
    """Share of units whose incoming weights [fan_in, fan_out] differ from every other unit's.

    Each unit's weights are hashed to one integer and the hashes sorted, so equal units become
    neighbours: no comparison of all pairs. Integers, because a sum of floats depends on its order,
    and PyTorch adds the last columns in another order than those that fill a vector register.

    >>> distinct_units(torch.ones(3, 4))
    tensor(0.)
    """
    fan_in, units = block.shape[-2:]
    if units == 1:
        return torch.ones(block.shape[:-2], dtype=block.dtype)
    integer = torch.int32 if block.element_size() == 4 else torch.int64
    bits = (block + 0.0).view(integer).long() * _ODD  # + 0.0 makes -0.0 the 0.0 it equals
    # Round numbers differ in their high bits alone, which a product never carries down: shift.
    seed = torch.Generator().manual_seed(0)
    factors = torch.randint(-(2**63), 2**63 - 1, (fan_in, 1), generator=seed) | 1
    hashes = ((bits ^ (bits >> 32)) * factors).sum(-2)
    places, order = hashes.sort(-1)
    numbers = ~block.isnan().any(-2).gather(-1, order)  # NaN equals nothing
    same = (places[..., 1:] == places[..., :-1]) & numbers[..., 1:] & numbers[..., :-1]
    beside = torch.zeros_like(places, dtype=torch.bool)
    beside[..., 1:] |= same
    beside[..., :-1] |= same
    return (~beside).to(block.dtype).mean(-1)


def _root(block: Tensor) -> Tensor:
    """Root of the sum of squares, as float64.

    In float32, four times as fast, where its squares are safe, and in float64 elsewhere.
    """
    parts = _parts(block)
    roots = [_sum_root(part) for part in parts]
    found = torch.cat(roots)
    if not _safe(found, block):
        counts = [len(root) for root in roots]
        low, high = _range(block)
        doubtful = ~((found > low) & (found < high))
        for part, root, odd in zip(parts, found.split(counts), doubtful.split(counts), strict=True):
            root[odd] = _norm(part[odd], dim=(-2, -1), dtype=torch.float64)
    return found.view(block.shape[:-2])


def _safe(roots: Tensor, block: Tensor) -> bool:
    """Tell whether no sum of the block's squares can have lost anything."""
    if block.element_size() == 8:
        return True
    low, high = _range(block)
    least, most = roots.aminmax()  # NaN where there is one, which is in no range
    return bool(least > low and most < high)


def _range(block: Tensor) -> tuple[float, float]:
    low, high = (limit * _entries(block) ** 0.5 for limit in SAFE_RMS)
    return low, high


def _sum_root(block: Tensor) -> Tensor:
    """Root of the sum of squares in the block's own precision, as float64."""
    if _entries(block) <= SUMMED_AT_ONCE:
        return _norm(block.flatten(-2), dim=-1).double()
    pieces = [_norm(piece, dim=-1).double() for piece in block.split(SUMMED_AT_ONCE // 2, -1)]
    return _norm(torch.stack(pieces, -1), dim=(-2, -1))


def _parts(block: Tensor) -> tuple[Tensor, ...]:
    """Cut [..., a, b] along its first dims, into parts that stay in the cache."""
    if not block.is_contiguous():  # to join its dims would be to copy it
        return block.split(1) if block.dim() > 2 else (block,)
    return block.view(-1, *block.shape[-2:]).split(max(1, PART_NUMBERS // _entries(block)))


def _entries(block: Tensor) -> int:
    return block.shape[-2] * block.shape[-1]
