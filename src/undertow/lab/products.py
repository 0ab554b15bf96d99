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
    whole = _dealt_out(a, b)
    if whole == len(a):  # as nearly always: a step of small networks is too short for slicing
        return torch.bmm(a, b, out=out)
    if whole:
        torch.bmm(a[:whole], b[:whole], out=out[:whole])
    for left, right, result in zip(a[whole:], b[whole:], out[whole:], strict=True):
        torch.bmm(_rows(left), _same(right), out=_rows(result))
    return out


def shifted_product(bias: Tensor, a: Tensor, b: Tensor, *, out: Tensor) -> Tensor:
    """Multiply each a by its b and add a bias [R, m, 1] to every column.

    >>> parts = torch.ones(2, 3, 1), torch.ones(2, 3, 4), torch.ones(2, 4, 5)
    >>> shifted_product(*parts, out=torch.empty(2, 3, 5)).unique()
    tensor([5.])
    """
    if a.shape[2] == 1 or b.stride(0) == 0:
        return product(a, b, out=out).add_(bias)
    whole = _dealt_out(a, b)
    if whole == len(a):
        return torch.baddbmm(bias, a, b, out=out)
    if whole:
        torch.baddbmm(bias[:whole], a[:whole], b[:whole], out=out[:whole])
    for shift, *parts, result in zip(bias[whole:], a[whole:], b[whole:], out[whole:], strict=True):
        left, right = parts
        torch.baddbmm(_rows(shift), _rows(left), _same(right), out=_rows(result))
    return out


def _dealt_out(a: Tensor, b: Tensor) -> int:
    """How many of the matrices keep all threads busy, one each."""
    matrices, m, k = a.shape
    if m * k * b.shape[2] < LARGE:
        return matrices
    threads = torch.get_num_threads()
    left = matrices % threads
    return matrices - left if m % threads == 0 else matrices


def _rows(matrix: Tensor) -> Tensor:
    """View a matrix as a block of rows a thread."""
    return matrix.unflatten(0, (torch.get_num_threads(), -1))


def _same(matrix: Tensor) -> Tensor:
    return matrix.expand(torch.get_num_threads(), -1, -1)
