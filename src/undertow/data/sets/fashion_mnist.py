"""Pictures of clothes."""

from __future__ import annotations

from undertow.data.dataset import Data, DataSet
from undertow.data.images import images

DATA_SET = DataSet(
    "fashion-mnist",
    "Fashion-MNIST's 70,000 pictures of clothes, of 28 x 28 pixels",
    read=lambda folder: Data("fashion-mnist", *images("fashion-mnist", folder)),
    place=5,
)
