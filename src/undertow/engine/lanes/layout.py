"""Blocks of replicates in lanes: every number of a network, with its lanes side by side."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from undertow.engine.common.networks import Networks
from undertow.engine.lanes.native_library import lanes

ALIGNED = 64  # bytes: a cache line, and the widest register


def aligned_zeros(shape: tuple[int, ...], dtype: type = np.float32) -> np.ndarray:
    """Make an array of zeros that begins at a multiple of 64 bytes.

    >>> aligned_zeros((3, 5)).ctypes.data % 64
    0
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    room = np.zeros(size + ALIGNED, np.uint8)
    start = -room.ctypes.data % ALIGNED
    return room[start : start + size].view(dtype).reshape(shape)


def to_lanes(rows: np.ndarray) -> np.ndarray:
    """Lay [R, numbers] out as [blocks, numbers, lanes]; lanes left over repeat the last replicate.

    >>> to_lanes(np.ones((2 * lanes(), 5), np.float32)).shape == (2, 5, lanes())
    True
    """
    blocks = pad_to_blocks(rows).reshape(-1, lanes(), rows.shape[1]).transpose(0, 2, 1)
    found = aligned_zeros(blocks.shape)
    found[:] = blocks
    return found


def pad_to_blocks(rows: np.ndarray) -> np.ndarray:
    """Repeat the last row until there are whole blocks of them."""
    return np.concatenate([rows, np.repeat(rows[-1:], -len(rows) % lanes(), 0)])


def from_lanes(blocks: np.ndarray, replicates: int) -> np.ndarray:
    """Lay [blocks, numbers, lanes] out as [R, numbers] again.

    >>> rows = np.arange(18, dtype=np.float32).reshape(9, 2)
    >>> bool((from_lanes(to_lanes(rows), 9) == rows).all())
    True
    """
    return blocks.transpose(0, 2, 1).reshape(-1, blocks.shape[1])[:replicates]


def parameters_in_lanes(networks: Networks) -> np.ndarray:
    """Lay every parameter out, in the order of `Parameters.leaves`."""
    leaves = [leaf.reshape(networks.replicates, -1) for leaf in networks.parameters.leaves]
    return to_lanes(torch.cat(leaves, 1).numpy())


def keep_parameters(networks: Networks, blocks: np.ndarray) -> None:
    """Give the networks the parameters that lanes have trained."""
    rows = torch.from_numpy(from_lanes(blocks, networks.replicates))
    start = 0
    for leaf in networks.parameters.leaves:
        size = leaf[0].numel()
        leaf.copy_(rows[:, start : start + size].reshape(leaf.shape))
        start += size


def running_in_lanes(statistics: list[Tensor], replicates: int) -> np.ndarray:
    """Lay BatchNorm's means, or variances, out as [blocks, depth x width, lanes]."""
    if not statistics:
        return aligned_zeros((0,))
    rows = torch.stack(statistics, 1).reshape(replicates, -1)
    return to_lanes(rows.numpy())


def keep_running(statistics: list[Tensor], blocks: np.ndarray, replicates: int) -> None:
    """Give the networks the running statistics of their training."""
    if statistics:
        rows = torch.from_numpy(from_lanes(blocks, replicates))
        for own, kept in zip(statistics, rows.chunk(len(statistics), 1), strict=True):
            own.copy_(kept.unsqueeze(-1))
