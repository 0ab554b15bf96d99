"""What lies in a store in pieces, put back together: flushes to chunks, shards to artefacts."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from undertow.trace.record import Chunk
from undertow.trace.schema import ARTEFACTS
from undertow.trace.store.array_codec import decode_array


def join_flushes(rows: list[tuple[Any, ...]]) -> list[Chunk]:
    """Put rows (shard, step, variable, type, shape, data) back together, a chunk a flush."""
    groups: dict[tuple[int, int], dict[str, np.ndarray]] = {}
    with ThreadPoolExecutor() as pool:
        arrays = pool.map(_array, rows)
        for (shard, step, variable, *_), array in zip(rows, arrays, strict=True):
            groups.setdefault((shard, step), {})[variable] = array
    return [
        Chunk(arrays.pop("step"), arrays.pop("epoch"), arrays, first_replicate=shard)
        for (shard, _), arrays in groups.items()
    ]


def join_shards(name: str, shards: Mapping[int, np.ndarray], replicates: int) -> np.ndarray:
    """Put an artefact's shards at their replicates' places; a shard that lacks leaves NaN, or 0."""
    dims = ARTEFACTS[name].dims
    parts = list(shards.items())
    if "replicate" not in dims:
        return parts[0][1]
    axis = dims.index("replicate")
    example = parts[0][1]
    shape = (*example.shape[:axis], replicates, *example.shape[axis + 1 :])
    empty = np.nan if example.dtype.kind == "f" else 0
    whole = np.full(shape, empty, example.dtype)
    for first, part in parts:
        place = [slice(None)] * axis + [slice(first, first + part.shape[axis])]
        whole[tuple(place)] = part
    return whole


def _array(row: tuple[Any, ...]) -> np.ndarray:
    return decode_array(*row[3:])
