"""Batched matrix products, [R, m, k] x [R, k, n], of many small matrices or of few large ones.

PyTorch's batched routine gives every matrix to one thread: with three matrices on two threads, one
thread idles half of the time. Large products are then taken one at a time, on all threads.
"""

from __future__ import annotations

import torch
from torch import Tensor

LARGE = 1 << 24  # multiplications, from which one product keeps several threads busy


def product(a: Tensor, b: Tensor, *, out: Tensor) -> Tensor:
    """Multiply each a by its b.

    >>> product(torch.ones(2, 3, 4), torch.ones(2, 4, 5), out=torch.empty(2, 3, 5)).unique()
    tensor([4.])
    """
    if a.shape[2] == 1:  # an outer product, at which bmm is twenty times slower
        return torch.mul(a, b, out=out)
    if b.stride(0) == 0 and out.is_contiguous():  # all a by the same b: one product
        torch.mm(a.flatten(0, 1), b[0], out=out.flatten(0, 1))
        return out
    if not _one_at_a_time(a, b):
        return torch.bmm(a, b, out=out)
    for left, right, result in zip(a.unbind(), b.unbind(), out.unbind(), strict=True):
        torch.mm(left, right, out=result)
    return out


def shifted_product(bias: Tensor, a: Tensor, b: Tensor, *, out: Tensor) -> Tensor:
    """Multiply each a by its b and add a bias [R, m, 1] to every column.

    >>> parts = torch.ones(2, 3, 1), torch.ones(2, 3, 4), torch.ones(2, 4, 5)
    >>> shifted_product(*parts, out=torch.empty(2, 3, 5)).unique()
    tensor([5.])
    """
    if b.stride(0) != 0 and not _one_at_a_time(a, b):
        return torch.baddbmm(bias, a, b, out=out)
    return product(a, b, out=out).add_(bias)


def _one_at_a_time(a: Tensor, b: Tensor) -> bool:
    matrices, m, k = a.shape
    return m * k * b.shape[2] >= LARGE and matrices % torch.get_num_threads() != 0
