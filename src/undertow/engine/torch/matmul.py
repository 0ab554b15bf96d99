"""Batched matrix products, [R, m, k] x [R, k, n], of many small matrices or of few large ones.

PyTorch's batched routine gives every matrix to one thread: with three matrices on two threads, one
thread idles a quarter of the time. Large matrices that are left over are cut into blocks of rows,
one a thread.
"""

from __future__ import annotations

import torch
from torch import Tensor

LARGE = 1 << 22  # multiplications, from which one product keeps several threads busy


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
    left = _left_over(a, b)
    if not left:
        return torch.bmm(a, b, out=out)
    whole = len(a) - left
    if whole:
        torch.bmm(a[:whole], b[:whole], out=out[:whole])
    for one, other, result in zip(a[whole:], b[whole:], out[whole:], strict=True):
        torch.bmm(_rows(one), _same(other), out=_rows(result))
    return out


def shifted_product(bias: Tensor, a: Tensor, b: Tensor, *, out: Tensor) -> Tensor:
    """Multiply each a by its b and add a bias [R, m, 1] to every column.

    >>> parts = torch.ones(2, 3, 1), torch.ones(2, 3, 4), torch.ones(2, 4, 5)
    >>> shifted_product(*parts, out=torch.empty(2, 3, 5)).unique()
    tensor([5.])
    """
    if a.shape[2] == 1 or b.stride(0) == 0:
        return product(a, b, out=out).add_(bias)
    left = _left_over(a, b)
    if not left:
        return torch.baddbmm(bias, a, b, out=out)
    whole = len(a) - left
    if whole:
        torch.baddbmm(bias[:whole], a[:whole], b[:whole], out=out[:whole])
    for shift, *parts, result in zip(bias[whole:], a[whole:], b[whole:], out[whole:], strict=True):
        one, other = parts
        torch.baddbmm(_rows(shift), _rows(one), _same(other), out=_rows(result))
    return out


def _left_over(a: Tensor, b: Tensor) -> int:
    """How many large matrices are left when every thread has had as many as the others."""
    threads = torch.get_num_threads()
    if threads == 1:  # asked first: small networks have one, and steps too short for more
        return 0
    matrices, m, k = a.shape
    large = m * k * b.shape[2] >= LARGE
    return matrices % threads if large and m % threads == 0 else 0


def _rows(matrix: Tensor) -> Tensor:
    """View a matrix as a block of rows a thread."""
    return matrix.unflatten(0, (torch.get_num_threads(), -1))


def _same(matrix: Tensor) -> Tensor:
    return matrix.expand(torch.get_num_threads(), -1, -1)
