"""Two circles in a plane, one in the other."""

from __future__ import annotations

from undertow.data.dataset import Data, DataSet, split
from undertow.errors import needs


def make() -> Data:
    datasets = needs("sklearn.datasets", "lab")
    inputs, targets = datasets.make_circles(1000, factor=0.85, noise=0.1, random_state=2021)
    return split("circles", inputs, targets, test_size=0.33)


DATA_SET = DataSet(
    "circles",
    "scikit-learn's two circles: 1,000 samples, factor .85, noise .1, split 67/33",
    make,
    place=2,
)
