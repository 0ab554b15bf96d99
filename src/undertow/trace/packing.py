"""Arrays as bytes with a type and a shape beside them: nothing is pickled."""

from __future__ import annotations

import json
import zlib

import numpy as np


def packed(array: np.ndarray) -> tuple[str, str, bytes]:
    """Pack an array: bytes of equal significance beside each other, which zlib packs best."""
    array = np.ascontiguousarray(array)
    # Run lengths only: half the time of zlib's quickest search, and a tenth more bytes.
    packer = zlib.compressobj(1, zlib.DEFLATED, strategy=zlib.Z_RLE)
    planes = array.view(np.uint8).reshape(-1, array.itemsize).T
    return (
        array.dtype.newbyteorder("<").str,
        json.dumps(array.shape),
        packer.compress(planes.tobytes()) + packer.flush(),
    )


def unpacked(type_: str, shape: str, data: bytes) -> np.ndarray:
    kind = np.dtype(type_)
    planes = np.frombuffer(zlib.decompress(data), np.uint8).reshape(kind.itemsize, -1)
    return np.ascontiguousarray(planes.T).view(kind).reshape(json.loads(shape))
