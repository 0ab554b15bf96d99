"""Two moons in a plane."""

from __future__ import annotations

from undertow.data.dataset import Data, DataSet, split
from undertow.errors import needs


def make() -> Data:
    datasets = needs("sklearn.datasets", "lab")
    inputs, targets = datasets.make_moons(250, noise=0.05, random_state=42)
    return split("moons", inputs, targets, test_size=0.2)


DATA_SET = DataSet(
    "moons", "scikit-learn's two moons: 250 samples, noise .05, split 80/20", make, place=1
)
