"""Images ready for a network: one row an image, pixels from 0 to 1, training and test apart."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from undertow.data.idx import CHECKSUMS, Bytes, Split, read_folder
from undertow.data.openml import read_openml
from undertow.errors import DataError, UnknownName, needs

Pixels = NDArray[np.float32]
Labels = NDArray[np.int64]
Images = tuple[Pixels, Labels, Pixels, Labels]


def images(name: str, folder: str | os.PathLike[str] | None = None) -> Images:
    """MNIST or Fashion-MNIST, from a folder or else through OpenML.

    >>> train_images, train_labels, *test = images("mnist", "data/mnist")  # doctest: +SKIP
    >>> train_images.shape, train_labels.shape                             # doctest: +SKIP
    ((60000, 784), (60000,))

    A folder, once named, is the only place looked at: the network is never asked.

    Parameters
    ----------
    name : str
        `mnist` or `fashion-mnist`.
    folder : str or path, optional
        The folder of the four IDX files, or one that has it as its subfolder `name`; by
        default what the environment variable UNDERTOW_DATA says. Without either, OpenML.

    Returns
    -------
    train_images, train_labels, test_images, test_labels : arrays
        Images float32, (60000, 784) and (10000, 784), from 0 to 1; labels int64, 0 to 9.

    Raises
    ------
    UnknownName
        Another `name`.
    DataError
        The data are missing, damaged or not the published ones, in one line that says which
        files go where.
    """
    if name not in CHECKSUMS:
        raise UnknownName("data set", name, CHECKSUMS)
    train_images, train_labels, test_images, test_labels = _read_split(name, folder)
    return (
        _scale(train_images),
        train_labels.astype(np.int64),
        _scale(test_images),
        test_labels.astype(np.int64),
    )


def digits() -> Images:
    """The 1,797 digits of 8 x 8 pixels that come with scikit-learn, three quarters to train on.

    >>> [part.shape for part in digits()]
    [(1347, 64), (1347,), (450, 64), (450,)]

    Returns
    -------
    train_images, train_labels, test_images, test_labels : arrays
        Images float32, from 0 to 1; labels int64, 0 to 9, each as frequent in both parts.
        The split is always the same.

    Raises
    ------
    MissingExtra
        scikit-learn is not installed.
    """
    pixels, labels = needs("sklearn.datasets", "lab").load_digits(return_X_y=True)
    train_images, test_images, train_labels, test_labels = needs(
        "sklearn.model_selection", "lab"
    ).train_test_split(
        np.asarray(pixels / 16, np.float32),
        np.asarray(labels, np.int64),
        test_size=0.25,
        stratify=labels,
        random_state=42,
    )
    return train_images, train_labels, test_images, test_labels


def _read_split(name: str, folder: str | os.PathLike[str] | None) -> Split:
    if folder is not None:
        return read_folder(folder, name)
    # A folder named by an empty variable would be the working one: take it as not set.
    fallback = os.environ.get("UNDERTOW_DATA")
    if not fallback:
        return read_openml(name)
    try:
        return read_folder(fallback, name)
    except DataError as error:
        raise DataError(f"{error} (UNDERTOW_DATA names this folder)") from None


def _scale(pixels: Bytes) -> Pixels:
    return np.divide(pixels.reshape(len(pixels), -1), 255, dtype=np.float32)
