"""A data set, split and ready for training, and those that have a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import NamedTuple

import numpy as np

from undertow.errors import DataError, UnknownName, needs

SETS = "sets"  # the folder of those that have a name


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


class DataSet(NamedTuple):
    """A data set that has a name: what it is, and how it is made or read.

    >>> sets()["moons"].about
    "scikit-learn's two moons: 250 samples, noise .05, split 80/20"

    Parameters
    ----------
    name : str
        As an experiment names it.
    about : str
        What it is, in one line.
    make : callable, optional
        Makes it, always the same.
    read : callable, optional
        Reads it from the files of a folder, or from where they are without one. Either this or
        `make`.
    place : int
        Where it stands in lists; one without a place of its own comes last.
    """

    name: str
    about: str
    make: Callable[[], Data] | None = None
    read: Callable[[str | None], Data] | None = None
    place: int = 100


@cache
def sets() -> dict[str, DataSet]:
    """Return the data sets that have a name: every module of sets/ with a DATA_SET.

    >>> list(sets())
    ['moons', 'circles', 'digits', 'mnist', 'fashion-mnist']
    """
    here = Path(__file__).parent / SETS
    # Looked for when they are first asked for, because each of them imports this file.
    found = [
        import_module(f"{__package__}.{SETS}.{each.name}").DATA_SET
        for each in iter_modules([str(here)])
    ]
    return {each.name: each for each in sorted(found, key=lambda each: (each.place, each.name))}


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
    if name not in sets():
        raise UnknownName("data set", name, sets())
    found = sets()[name]
    if found.read:
        return found.read(folder)
    if folder is not None:
        raise DataError(f"{name} is made, not read from files: leave --data {folder} out")
    assert found.make
    return found.make()


def split(name: str, inputs: np.ndarray, targets: np.ndarray, test_size: float) -> Data:
    """Hold a share of samples out to test on, always the same ones."""
    train_test_split = needs("sklearn.model_selection", "lab").train_test_split
    parts = train_test_split(
        inputs.astype(np.float32), targets, test_size=test_size, random_state=42
    )
    train_inputs, test_inputs, train_targets, test_targets = parts
    return Data(name, train_inputs, train_targets, test_inputs, test_targets)
