"""What a training leaves beside its records, the same from every engine."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor

from undertow.data.dataset import Data
from undertow.trace.record import Chunk

GRID = 60  # points along each side of the decision grid
MARGIN = 0.1  # of the data's larger side, around the plane that is drawn
KEPT_WEIGHTS = 2_000  # a first layer of more numbers, of one network, is not kept whole


def set_column(chunk: Chunk, place: int, values: dict[str, Tensor]) -> None:
    """Fill in, at one step of a chunk, what is not measured at every step, [..., R]."""
    arrays = cast(dict[str, np.ndarray], chunk.arrays)
    for name, value in values.items():
        array = value.movedim(-1, 0).numpy()  # [R] or [R, layers]
        shape = (len(array), len(chunk.steps), *array.shape[1:])
        arrays.setdefault(name, np.full(shape, np.nan, array.dtype))[:, place] = array


def whole_artefacts(chunk: Chunk, depth: int, whole: int) -> Chunk:
    """Place the layers of a network of `depth` hidden layers among those of the whole one."""
    if depth == whole:
        return chunk
    arrays = {}
    for name, array in chunk.arrays.items():
        arrays[name] = array
        if array.ndim == 3:
            arrays[name] = np.full((*array.shape[:2], whole + 1), np.nan, array.dtype)
            arrays[name][..., [*range(depth), whole]] = array
    return Chunk(chunk.steps, chunk.epochs, arrays)


def stack_histograms(histograms: list[Tensor]) -> np.ndarray:
    """Stack the first and the last step's histograms; a layer that was not there counted 0."""
    first, last = (found.numpy() for found in (histograms[0], histograms[-1]))
    whole = np.zeros_like(last)
    whole[:, : first.shape[1]] = first
    return np.stack([whole, last])


def first_layer_artefacts(moments: Tensor) -> dict[str, np.ndarray]:
    """Return the change of the first weights [moments, R, in, out], and the weights if few."""
    start, end = moments[0], moments[-1]
    absolute = (end - start).abs()
    percent = 100 * absolute / start.abs()
    change = torch.stack([percent.mean((1, 2)), absolute.mean((1, 2))])
    artefacts = {"first_layer_change": change.numpy()}
    if start[0].numel() <= KEPT_WEIGHTS:
        artefacts["first_layer_weights"] = moments.numpy()
    return artefacts


def plane_points(data: Data, dtype: torch.dtype) -> Tensor | None:
    """Return the points at which networks of two inputs are asked; None of other data.

    >>> from undertow.data.dataset import load
    >>> plane_points(load("moons"), torch.float32).shape
    torch.Size([3600, 2])
    """
    if data.train_inputs.shape[1] != 2:
        return None
    low, high = _corners(data)
    axes = [torch.linspace(low[i], high[i], GRID, dtype=dtype) for i in (0, 1)]
    y, x = torch.meshgrid(axes[1], axes[0], indexing="ij")
    return torch.stack([x.reshape(-1), y.reshape(-1)], 1)


def plane_artefacts(data: Data, logits: Tensor) -> dict[str, np.ndarray]:
    """Return the data of a two-dimensional experiment and each network's answer over the plane."""
    low, high = _corners(data)
    inputs = np.concatenate([data.train_inputs, data.test_inputs])
    tested = np.zeros(len(inputs), np.uint8)
    tested[len(data.train_inputs) :] = 1
    return {
        "decision_grid": torch.sigmoid(logits[:, -1]).view(-1, GRID, GRID).numpy(),
        "decision_extent": np.array([low[0], high[0], low[1], high[1]], np.float32),
        "data_inputs": inputs,
        "data_targets": np.concatenate([data.train_targets, data.test_targets]),
        "data_test": tested,
    }


def _corners(data: Data) -> tuple[np.ndarray, np.ndarray]:
    inputs = np.concatenate([data.train_inputs, data.test_inputs])
    margin = MARGIN * float(np.ptp(inputs, 0).max())
    return inputs.min(0) - margin, inputs.max(0) + margin
