"""Small digits, for quick runs."""

from __future__ import annotations

from undertow.data import images
from undertow.data.dataset import Data, DataSet

DATA_SET = DataSet(
    "digits",
    "scikit-learn's 1,797 digits of 8 x 8 pixels",
    make=lambda: Data("digits", *images.digits()),
    place=3,
)
