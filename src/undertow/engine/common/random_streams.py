"""A replicate's random numbers, from its own seed alone: never from its neighbours or its place."""

from __future__ import annotations

import numpy as np

# Streams are numbered, so that drawing more of one never shifts another.
STREAMS = {"weights": 0, "order": 1}


def generator(seed: int, stream: str, stage: int = 0) -> np.random.Generator:
    """Return the generator of one replicate for one purpose, at a stage of its training.

    >>> int(generator(7, "order").integers(100)) == int(generator(7, "order").integers(100))
    True
    """
    return np.random.default_rng([STREAMS[stream], seed, *([stage] if stage else [])])


def batch_orders(generators: list[np.random.Generator], samples: int) -> np.ndarray:
    """Return the order in which each replicate meets the samples in one epoch, [R, samples]."""
    return np.stack([generator.permutation(samples) for generator in generators])
