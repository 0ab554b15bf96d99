"""The order in which each replicate meets the samples, drawn for all of them in one call.

`randomness.batch_orders` defines it. The library draws the same numbers from the same NumPy
generators, through the interface that they offer to C; should NumPy ever shuffle otherwise, it is
asked itself.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache

import numpy as np

from undertow.engine.common.random_streams import batch_orders, generator
from undertow.engine.lanes import native_library as native
from undertow.engine.lanes.layout import pad_to_blocks
from undertow.engine.lanes.native_library import lanes

# A function object of our own: ctypes.pythonapi's is every library's.
_CAPSULE_POINTER = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


class Orders:
    """The generators of some replicates, each from its own seed.

    >>> Orders([0, 1]).epochs(200, epochs=3).shape == (3, lanes(), 200)
    True
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self._generators = [generator(seed, "order") for seed in seeds]

    def epochs(self, samples: int, epochs: int, threads: int = 1) -> np.ndarray:
        """Draw the next epochs: [epochs, R, samples] of int32, lanes left over like the last."""
        if as_numpy_shuffles():
            return _draw(self._generators, samples, epochs, threads)
        each = [batch_orders(self._generators, samples) for _ in range(epochs)]
        return np.stack([pad_to_blocks(order.astype(np.int32)) for order in each])


@cache
def as_numpy_shuffles() -> bool:
    """Tell whether the library draws what this NumPy draws.

    >>> as_numpy_shuffles()
    True
    """
    ours, theirs = ([generator(seed, "order") for seed in range(lanes())] for _ in range(2))
    return all(
        np.array_equal(_draw(ours, samples, 1, threads=1)[0], batch_orders(theirs, samples))
        for samples in (1, 2, 99, 200, 5_000)
    )


def _draw(
    generators: Sequence[np.random.Generator], samples: int, epochs: int, threads: int
) -> np.ndarray:
    pointers = np.array([_pointer(each) for each in generators], np.uintp)
    count = len(pointers)
    orders = np.empty((epochs, count + -count % lanes(), samples), np.int32)
    native.library().lanes_orders(
        pointers.ctypes.data, count, orders.shape[1], epochs, samples, orders.ctypes.data, threads
    )
    orders[:, count:] = orders[:, count - 1 : count]
    return orders


def _pointer(random: np.random.Generator) -> int:
    """Return where a generator's `bitgen_t` is."""
    return _CAPSULE_POINTER(random.bit_generator.capsule, b"BitGenerator")
