"""The data sets, split and ready for training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from undertow.data import images
from undertow.errors import DataError, UnknownName, needs


@dataclass(frozen=True)
class Data:
    """Inputs [samples, features] float32 and targets [samples] int64, to train and to test on.

    >>> moons = load("moons")
    >>> len(moons.train_targets), len(moons.test_targets), moons.classes, moons.larger_test_share
    (200, 50, 2, 0.54)
    """

    name: str
    train_inputs: np.ndarray
    train_targets: np.ndarray
    test_inputs: np.ndarray
    test_targets: np.ndarray

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return int(self.train_targets.max()) + 1

    def first(self, samples: int | None) -> Data:
        """Return the same data with fewer samples to train on; None leaves them all."""
        return replace(
            self,
            train_inputs=self.train_inputs[:samples],
            train_targets=self.train_targets[:samples],
        )

    @property
    def larger_test_share(self) -> float:
        """Accuracy on the test set of always answering its most frequent class."""
        return float(np.bincount(self.test_targets).max() / len(self.test_targets))


def load(name: str, folder: str | None = None) -> Data:
    """Load a data set by its name; `folder` holds the files of those that come as files.

    >>> load("moons").train_inputs.shape
    (200, 2)

    Raises
    ------
    UnknownName
        Another name.
    DataError
        A folder for a data set that has no files, or files that are missing or damaged.
    """
    if name not in SETS:
        raise UnknownName("data set", name, SETS)
    return SETS[name](folder)


def moons(folder: str | None = None) -> Data:
    """Return scikit-learn's two moons: 250 samples, noise .05, split 80/20."""
    _refuse("moons", folder)
    datasets = needs("sklearn.datasets", "lab")
    inputs, targets = datasets.make_moons(250, noise=0.05, random_state=42)
    return _split("moons", inputs, targets, test_size=0.2)


def circles(folder: str | None = None) -> Data:
    """Return scikit-learn's two circles: 1,000 samples, factor .85, noise .1, split 67/33."""
    _refuse("circles", folder)
    datasets = needs("sklearn.datasets", "lab")
    inputs, targets = datasets.make_circles(1000, factor=0.85, noise=0.1, random_state=2021)
    return _split("circles", inputs, targets, test_size=0.33)


def digits(folder: str | None = None) -> Data:
    """Return scikit-learn's 1,797 digits of 8 x 8 pixels, for quick runs."""
    _refuse("digits", folder)
    return Data("digits", *images.digits())


def mnist(folder: str | None = None) -> Data:
    """Return MNIST's 70,000 digits of 28 x 28 pixels."""
    return Data("mnist", *images.images("mnist", folder))


def fashion_mnist(folder: str | None = None) -> Data:
    """Return Fashion-MNIST's 70,000 pictures of clothes."""
    return Data("fashion-mnist", *images.images("fashion-mnist", folder))


SETS: dict[str, Callable[[str | None], Data]] = {
    "moons": moons,
    "circles": circles,
    "digits": digits,
    "mnist": mnist,
    "fashion-mnist": fashion_mnist,
}


def _refuse(name: str, folder: str | None) -> None:
    if folder is not None:
        raise DataError(f"{name} is made, not read from files: leave --data {folder} out")


def _split(name: str, inputs: np.ndarray, targets: np.ndarray, test_size: float) -> Data:
    train_test_split = needs("sklearn.model_selection", "lab").train_test_split
    parts = train_test_split(
        inputs.astype(np.float32), targets, test_size=test_size, random_state=42
    )
    train_inputs, test_inputs, train_targets, test_targets = parts
    return Data(name, train_inputs, train_targets, test_inputs, test_targets)
