"""Handwritten digits."""

from __future__ import annotations

from undertow.data.dataset import Data, DataSet
from undertow.data.images import images

DATA_SET = DataSet(
    "mnist",
    "MNIST's 70,000 digits of 28 x 28 pixels",
    read=lambda folder: Data("mnist", *images("mnist", folder)),
    place=4,
)
