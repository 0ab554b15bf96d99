"""Frobenius norms that are right for large tensors and for numbers near the ends of their type.

A sum of squares in float32 is wrong in two ways: squares vanish below 1e-22 and overflow above
1e19, and a running sum of a million terms loses three digits. On the CPU a norm is therefore taken
by rows of some thousand entries and, where the result lies near an end, once more in float64; on a
GPU, where memory is the limit and not arithmetic, in float64 at once, so that nothing waits for
its value.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

ROW = 4096  # entries whose squares float32 may add
SAFE = 16 * ROW  # a plain norm of so many is right to 3e-7
LOW, HIGH = 1e-15, 1e18  # between them float32 holds the squares of all that matters

Number = float | Tensor  # a Tensor of no dims lies on a device and has not been waited for


def norm(tensor: Tensor) -> Number:
    """Return the root of the sum of squares of all entries.

    >>> norm(torch.full((4,), 1e-30))
    2.0000...e-30
    """
    tensor = entries(tensor)
    if tensor.device.type != "cpu":
        return _unwaited(tensor)
    found = _plain(tensor).item()
    return found if LOW < found < HIGH else exact(tensor)


def norms(tensors: Sequence[Tensor]) -> list[Number]:
    """Return the norm of each tensor, in one fused pass over those that allow it."""
    tensors = [entries(tensor) for tensor in tensors]
    found: list[Number] = [0.0] * len(tensors)
    fused: dict[tuple[torch.device, torch.dtype], list[int]] = {}
    for place, tensor in enumerate(tensors):
        kind = tensor.device.type
        if kind == "mps" or (kind == "cpu" and tensor.numel() > SAFE) or not tensor.numel():
            found[place] = norm(tensor)
        else:
            fused.setdefault((tensor.device, tensor.dtype), []).append(place)
    for (device, dtype), places in fused.items():
        group = [tensors[place] for place in places]
        wide = torch.float64 if device.type != "cpu" else _summed_in(dtype)
        values = torch._foreach_norm(group, 2, dtype=wide)
        if device.type == "cpu":
            values = [
                value if LOW < value < HIGH else exact(tensor)
                for value, tensor in zip(torch.stack(values).tolist(), group, strict=True)
            ]
        for place, value in zip(places, values, strict=True):
            found[place] = value
    return found


def exact(tensor: Tensor) -> float:
    """Return the norm summed in float64, on the CPU where the device has none.

    >>> exact(torch.tensor([3e-160, 4e-160], dtype=torch.float64))
    5e-160
    """
    wide = tensor.cpu().double() if tensor.device.type == "mps" else tensor.double()
    found = torch.linalg.vector_norm(wide).item()
    if LOW**9 < found < HIGH**8:  # float64 squares vanish below 1e-162
        return found
    largest = wide.abs().amax().item() if wide.numel() else 0.0
    if not 0 < largest < float("inf"):
        return largest  # 0, or Inf; NaN stays NaN
    return largest * torch.linalg.vector_norm(wide / largest).item()


def numbers(values: Sequence[Number]) -> np.ndarray:
    """Read values as float64, waiting once a device for those that lie on one."""
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
    tensor = tensor.detach()
    return tensor.coalesce().values() if tensor.is_sparse else tensor


def _plain(tensor: Tensor) -> Tensor:
    dtype = _summed_in(tensor.dtype)
    if tensor.numel() <= SAFE:
        return torch.linalg.vector_norm(tensor, dtype=dtype)
    flat = tensor.reshape(-1)
    whole = flat.numel() // ROW * ROW
    rows = torch.linalg.vector_norm(flat[:whole].view(-1, ROW), dim=1, dtype=dtype)
    rest = torch.linalg.vector_norm(flat[whole:], dtype=dtype)
    return torch.linalg.vector_norm(torch.cat([rows, rest[None]]), dtype=torch.float64)


def _unwaited(tensor: Tensor) -> Tensor:
    if tensor.device.type != "mps":
        return torch.linalg.vector_norm(tensor, dtype=torch.float64)
    wide = tensor.float()  # which has no float64
    largest = wide.abs().amax().clamp_min(torch.finfo(torch.float32).tiny)
    return largest * torch.linalg.vector_norm(wide / largest)


def _summed_in(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32
