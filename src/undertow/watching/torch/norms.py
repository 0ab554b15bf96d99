"""Frobenius norms that are right for large tensors and for numbers near the ends of their type.

A sum of squares in float32 is wrong in two ways: squares vanish below 1e-22 and overflow above
1e19, and a running sum of a million terms loses three digits. On the CPU a norm is therefore taken
by rows of some thousand entries and, where the result lies near an end, once more in float64; on a
GPU, where memory is the limit and not arithmetic, in float64 at once, so that nothing waits for
its value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

ROW = 1024  # entries whose squares float32 may add
SAFE = 16 * ROW  # a plain norm of so many is right to 1e-7, at worst, if all are equal, to 8e-6
LOW, HIGH = 1e-15, 1e18  # between them float32 holds the squares of all that matters

foreach_norm: Any = torch._foreach_norm  # pyright: ignore

Number = float | Tensor  # a Tensor of no dims lies on a device and has not been waited for


def norm(tensor: Tensor) -> Number:
    """Return the root of the sum of squares of all entries.

    >>> norm(torch.full((4,), 1e-30))
    2.0000...e-30
    """
    tensor = entries(tensor)
    if not tensor.is_cpu:
        return _as_unwaited(tensor)
    # Of an expanded tensor a plain sum goes wrong ten times as fast.
    tensor = tensor.contiguous()
    found = _plain(tensor).item()
    return found if LOW < found < HIGH else exact(tensor)


def norms(tensors: Sequence[Tensor]) -> list[Number]:
    """Return the norm of each tensor, in one fused pass over those that allow it."""
    found: list[Number] = [0.0] * len(tensors)
    fused: dict[tuple[torch.device, torch.dtype], tuple[list[int], list[Tensor]]] = {}
    for place, tensor in enumerate(tensors):
        tensor = entries(tensor)
        is_plain = 0 < tensor.numel() <= SAFE and tensor.is_contiguous()
        if tensor.is_mps or (tensor.is_cpu and not is_plain):
            found[place] = norm(tensor)
        else:
            places, group = fused.setdefault((tensor.device, tensor.dtype), ([], []))
            places.append(place)
            group.append(tensor)
    for (device, dtype), (places, group) in fused.items():
        on_cpu = device.type == "cpu"
        wide = _summed_in(dtype) if on_cpu else torch.float64
        values = foreach_norm(group, 2, dtype=None if wide == dtype else wide)
        if on_cpu:
            values = [
                value if LOW < value < HIGH else exact(tensor)
                for value, tensor in zip(torch.stack(values).tolist(), group, strict=True)
            ]
        for place, value in zip(places, values, strict=True):
            found[place] = value
    return found


def plain_norms(tensors: list[Tensor]) -> np.ndarray:
    """Return the norms of float32 tensors on the CPU, dense and of up to `SAFE` entries."""
    found = torch.stack(foreach_norm(tensors)).tolist()
    if not (min(found) > LOW and max(found) < HIGH):
        found = [
            value if LOW < value < HIGH else exact(tensor)
            for value, tensor in zip(found, tensors, strict=True)
        ]
    return np.array(found)


def magnitude(tensor: Tensor) -> Number:
    """Return the sum of magnitudes of all entries."""
    tensor = entries(tensor)
    wide = torch.float32 if tensor.dtype in (torch.float16, torch.bfloat16) else None
    found = tensor.abs().sum(dtype=wide)
    return found.item() if found.is_cpu else found


def exact(tensor: Tensor) -> float:
    """Return the norm summed in float64, on the CPU where the device has none.

    >>> exact(torch.tensor([3e-160, 4e-160], dtype=torch.float64))
    5e-160
    """
    if not tensor.any():
        return 0.0  # at once, for many a gradient is
    wide = tensor.cpu().double() if tensor.device.type == "mps" else tensor.double()
    found = torch.linalg.vector_norm(wide).item()
    if 1e-135 < found < 1e144 or math.isnan(found):  # float64 squares vanish below 1e-162
        return found
    largest = wide.abs().amax().item() if wide.numel() else 0.0
    if not 0 < largest < float("inf"):
        return largest  # 0, or Inf; NaN stays NaN
    return largest * torch.linalg.vector_norm(wide / largest).item()


def numbers(values: Sequence[Number]) -> np.ndarray:
    """Read values as float64, waiting once a device for those that lie on one."""
    if not any(issubclass(kind, Tensor) for kind in set(map(type, values))):
        return np.array(values, float)
    found = np.array([0.0 if isinstance(value, Tensor) else value for value in values], float)
    waiting: dict[torch.device, list[int]] = {}
    for place, value in enumerate(values):
        if isinstance(value, Tensor):
            waiting.setdefault(value.device, []).append(place)
    for places in waiting.values():
        stacked = torch.stack([values[place] for place in places])  # pyright: ignore
        found[places] = stacked.tolist()
    return found


def entries(tensor: Tensor) -> Tensor:
    """Return what a tensor holds, without its graph; of a sparse one its summed entries."""
    if tensor.requires_grad:
        tensor = tensor.detach()
    return tensor.coalesce().values() if tensor.is_sparse else tensor


def _plain(tensor: Tensor) -> Tensor:
    if tensor.numel() <= SAFE and tensor.dtype == torch.float32:
        return torch.linalg.vector_norm(tensor)
    dtype = _summed_in(tensor.dtype)
    if tensor.numel() <= SAFE:
        return torch.linalg.vector_norm(tensor, dtype=dtype)
    flat = tensor.reshape(-1)
    whole = flat.numel() // ROW * ROW
    rows = torch.linalg.vector_norm(flat[:whole].view(-1, ROW), dim=1, dtype=dtype)
    rest = torch.linalg.vector_norm(flat[whole:], dtype=dtype)
    return torch.linalg.vector_norm(torch.cat([rows, rest[None]]), dtype=torch.float64)


def _as_unwaited(tensor: Tensor) -> Tensor:
    if tensor.device.type != "mps":
        return torch.linalg.vector_norm(tensor, dtype=torch.float64)
    wide = tensor.float()  # which has no float64
    largest = wide.abs().amax().clamp_min(torch.finfo(torch.float32).tiny)
    return largest * torch.linalg.vector_norm(wide / largest)


def _summed_in(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def as_float(value: Number) -> float:
    """Return a norm as a number; one on a device is waited for."""
    return value if isinstance(value, float) else float(numbers([value])[0])
