"""Arrays as bytes with a type and a shape beside them: nothing is pickled.

An array's bytes of equal significance lie beside each other, in planes, as one zlib stream. Signs
and exponents get much shorter; the last bits of what was measured are noise, on which zlib would
spend most of its time for nothing, so a plane that does not get shorter is stored as it is.
"""

from __future__ import annotations

import json
import zlib
from itertools import groupby
from typing import Protocol

import numpy as np

HEADER, END = b"\x78\x01", b"\x03\x00"  # of a zlib stream, and an empty last block (RFC 1950, 1951)
SMALL = 4096  # bytes of a plane that are packed without a trial
TRIALS, TRIAL = 8, 256  # places of a plane that are tried, and their bytes
WORTH = 0.9  # what packing leaves of the bytes tried, at most


class Compressor(Protocol):
    """What zlib compresses a stream with; it gives that class no public name."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self, mode: int = ..., /) -> bytes: ...


def encode_array(array: np.ndarray) -> tuple[str, str, bytes]:
    """Pack an array: its type, its shape as JSON, and its bytes as a zlib stream of planes."""
    array = np.ascontiguousarray(array)
    planes = _planes(array)
    parts = [HEADER]
    for shorter, alike in groupby(planes, _gets_shorter):  # a packer costs more than a small plane
        packer = _encoder(1 if shorter else 0)
        parts += [packer.compress(plane) for plane in alike]
        # A full flush ends on a whole byte, where another packer's blocks may follow.
        parts.append(packer.flush(zlib.Z_FULL_FLUSH))
    parts += [END, zlib.adler32(planes.data).to_bytes(4, "big")]
    return array.dtype.newbyteorder("<").str, json.dumps(array.shape), b"".join(parts)


def decode_array(type_: str, shape: str, data: bytes) -> np.ndarray:
    kind = np.dtype(type_)
    planes = np.frombuffer(zlib.decompress(data), np.uint8).reshape(kind.itemsize, -1)
    return np.ascontiguousarray(planes.T).view(kind).reshape(json.loads(shape))


def _planes(array: np.ndarray) -> np.ndarray:
    """Return [itemsize, entries] of bytes, the least significant ones first."""
    numbers = array.reshape(-1).view(f"u{array.itemsize}")
    planes = np.empty((array.itemsize, numbers.size), np.uint8)
    for place, plane in enumerate(planes):
        np.right_shift(numbers, 8 * place, out=plane, casting="unsafe")
    return planes


def _gets_shorter(plane: np.ndarray) -> bool:
    if len(plane) < SMALL:
        return True
    tried = plane[: len(plane) // TRIALS * TRIALS].reshape(TRIALS, -1)[:, :TRIAL].tobytes()
    packer = _encoder(1)
    return len(packer.compress(tried) + packer.flush()) < WORTH * len(tried)


def _encoder(level: int) -> Compressor:
    # Run lengths only: half the time of zlib's quickest search, and a tenth more bytes.
    return zlib.compressobj(level, zlib.DEFLATED, -15, strategy=zlib.Z_RLE)
