"""Convolutions and averages of pictures, read as positions that read positions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from undertow.errors import SpecError
from undertow.theory.batch.convolutions import Taps, flattening_taps

Array = NDArray[np.float64]
PADDING = ("zeros", "circular")
POSITIONS = 2_048  # samples times positions; time and memory grow with its square


class Picture(NamedTuple):
    """The positions of a value: its own, those it was averaged to since, and whether it is flat."""

    size: tuple[int, int]
    now: tuple[int, int]
    pooled: Array | None = None
    flat: bool = False

    @property
    def untouched(self) -> bool:
        return self.pooled is None and not self.flat


def picture(size: tuple[int, int]) -> Picture:
    """Return the positions of what a layer puts out.

    >>> picture((4, 4)).untouched
    True
    """
    return Picture(size, size)


def check_size(batch: int, size: tuple[int, int]) -> None:
    """Refuse more pairs of positions than can be followed.

    >>> check_size(2, (32, 32))
    """
    positions = size[0] * size[1]
    if batch * positions > POSITIONS:
        some = f"the first {POSITIONS // positions} samples, or " if positions <= POSITIONS else ""
        raise SpecError(
            f"{batch} samples of {positions:,} positions: at most {POSITIONS:,} in all, since "
            f"every pair is predicted; give {some}smaller pictures"
        )


@contextmanager
def name_errors(name: str) -> Iterator[None]:
    """Say in one line what PyTorch says of a layer that does not fit."""
    try:
        yield
    except RuntimeError as error:
        raise SpecError(f"'{name}': {str(error).splitlines()[0]}") from None


def average_over(before: Picture, average: Any, *, flat: bool = False) -> Picture:
    """Apply a function of pictures [B, 1, h, w] that is linear in them, such as nn.AvgPool2d(2).

    >>> average_over(picture((4, 4)), nn.AvgPool2d(2)).now
    (2, 2)
    """
    positions = before.now[0] * before.now[1]
    units = torch.eye(positions, dtype=torch.float64).view(positions, 1, *before.now)
    found = average(units)
    now = tuple(found.shape[2:]) if found.dim() == 4 else (1, 1)
    matrix = found.reshape(positions, -1).T.numpy()
    if before.pooled is not None:
        matrix = matrix @ before.pooled
    return Picture(before.size, now, matrix, flat)


def flat_reading(below: Picture) -> Taps:
    """Return how a Linear layer reads a flattened picture."""
    return flattening_taps(below.size[0] * below.size[1], below.pooled)


def conv_reading(name: str, conv: nn.Conv2d, below: Picture) -> tuple[Taps, Picture]:
    """Return how a convolution reads a picture, and the picture it puts out.

    >>> conv = nn.Conv2d(3, 8, 3, padding=1, padding_mode="circular")
    >>> reading, above = conv_reading("conv", conv, picture((4, 4)))
    >>> reading.places.shape, above.size
    ((9, 16), (4, 4))

    Raises
    ------
    SpecError
        Groups, or a padding other than zeros and circular.
    """
    if conv.groups != 1:
        raise SpecError(f"'{name}': Conv2d with groups = {conv.groups}; the theory knows 1")
    if conv.padding_mode not in PADDING:
        raise SpecError(
            f"'{name}': padding_mode '{conv.padding_mode}'; the theory knows "
            f"{' and '.join(PADDING)}"
        )
    positions = below.now[0] * below.now[1]
    numbers = torch.arange(1, positions + 1, dtype=torch.float64).view(1, 1, *below.now)
    mode = "constant" if conv.padding_mode == "zeros" else conv.padding_mode
    padded = F.pad(numbers, _padding(conv), mode)
    places = F.unfold(padded, conv.kernel_size, dilation=conv.dilation, stride=conv.stride)[0]
    reached = [
        (size - dilation * (kernel - 1) - 1) // stride + 1
        for size, dilation, kernel, stride in zip(
            padded.shape[2:], conv.dilation, conv.kernel_size, conv.stride, strict=True
        )
    ]
    reading = Taps(below.size[0] * below.size[1], places.long().numpy() - 1, below.pooled)
    return reading, picture((reached[0], reached[1]))


def _padding(conv: nn.Conv2d) -> list[int]:
    """Return left, right, top and bottom, as F.pad takes them."""
    if isinstance(conv.padding, str):
        whole = [
            dilation * (kernel - 1) if conv.padding == "same" else 0
            for dilation, kernel in zip(conv.dilation, conv.kernel_size, strict=True)
        ]
        sides = [(each // 2, each - each // 2) for each in whole]
    else:
        sides = [(each, each) for each in conv.padding]
    return [*sides[1], *sides[0]]


def mean_over_positions(pictures: Tensor) -> Tensor:
    return pictures.mean((2, 3))
