"""The data sets, split and ready for training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from undertow.errors import UnknownName, needs


@dataclass(frozen=True)
class Data:
    """Inputs [samples, features] float32 and targets [samples] int64, to train and to test on."""

    name: str
    train_inputs: np.ndarray
    train_targets: np.ndarray
    test_inputs: np.ndarray
    test_targets: np.ndarray

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return int(self.train_targets.max()) + 1

    @property
    def larger_test_share(self) -> float:
        """Accuracy on the test set of always answering its most frequent class."""
        return float(np.bincount(self.test_targets).max() / len(self.test_targets))


def load(name: str) -> Data:
    """Load a data set by its name.

    >>> load("moons").train_inputs.shape
    (200, 2)
    """
    if name not in SETS:
        raise UnknownName("data set", name, SETS)
    return SETS[name]()


def moons() -> Data:
    """Return scikit-learn's two moons: 250 samples, noise .05, split 80/20."""
    datasets = needs("sklearn.datasets", "lab")
    inputs, targets = datasets.make_moons(250, noise=0.05, random_state=42)
    return _split("moons", inputs, targets, test_size=0.2)


def circles() -> Data:
    """Return scikit-learn's two circles: 1,000 samples, factor .85, noise .1, split 67/33."""
    datasets = needs("sklearn.datasets", "lab")
    inputs, targets = datasets.make_circles(1000, factor=0.85, noise=0.1, random_state=2021)
    return _split("circles", inputs, targets, test_size=0.33)


SETS: dict[str, Callable[[], Data]] = {"moons": moons, "circles": circles}


def _split(name: str, inputs: np.ndarray, targets: np.ndarray, test_size: float) -> Data:
    train_test_split = needs("sklearn.model_selection", "lab").train_test_split
    parts = train_test_split(
        inputs.astype(np.float32), targets, test_size=test_size, random_state=42
    )
    train_inputs, test_inputs, train_targets, test_targets = parts
    return Data(name, train_inputs, train_targets, test_inputs, test_targets)
