"""MNIST and Fashion-MNIST through scikit-learn's OpenML download, for those without the files."""

from __future__ import annotations

import sys
import warnings
import zlib
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np

from undertow.data.idx import FILES, Bytes, Split, expected_files, fault
from undertow.errors import DataError, UnknownName, needs

# OpenML's name, and the size of the download in MB.
SOURCES = {"mnist": ("mnist_784", 15), "fashion-mnist": ("Fashion-MNIST", 40)}


def read_openml(name: str) -> Split:
    """Fetch MNIST or Fashion-MNIST once, then read it from scikit-learn's cache.

    >>> images, labels, *test = read_openml("mnist")  # doctest: +SKIP

    The cache is scikit-learn's own: `~/scikit_learn_data`, or where SCIKIT_LEARN_DATA points.
    What comes must equal the published IDX files byte for byte. Reading the cache takes some
    20 seconds and 1 GB; the IDX files take one second.

    Parameters
    ----------
    name : str
        `mnist` or `fashion-mnist`.

    Returns
    -------
    train_images, train_labels, test_images, test_labels : arrays of uint8
        Shapes (60000, 28, 28), (60000,), (10000, 28, 28) and (10000,), in the published order.

    Raises
    ------
    UnknownName
        Another `name`.
    DataError
        No network, or not the published data.
    MissingExtra
        scikit-learn is not installed.
    """
    if name not in SOURCES:
        raise UnknownName("data set", name, SOURCES)
    title, megabytes = SOURCES[name]
    if sys.stderr.isatty():
        print(
            f"Loading {title} through OpenML (about {megabytes} MB the first time, "
            f"from scikit-learn's cache later) ...",
            file=sys.stderr,
        )
    images, labels = _fetch(name, title)
    split = (
        images[:60_000].reshape(-1, 28, 28),
        labels[:60_000],
        images[60_000:].reshape(-1, 28, 28),
        labels[60_000:],
    )
    for array, file in zip(split, FILES, strict=True):
        what = fault(array, name, file)
        if what is not None:
            raise _refusal(name, title, f"{file} {what}")
    return split


def _fetch(name: str, title: str) -> tuple[Bytes, Bytes]:
    datasets = needs("sklearn.datasets", "lab")
    try:
        with warnings.catch_warnings():
            # A failed attempt warns once a retry; the one line at the end says it all.
            warnings.simplefilter("ignore")
            # The faster pandas parser fails on whole-number classes from pandas 3.1 on.
            bunch = datasets.fetch_openml(title, version=1, as_frame=False, parser="liac-arff")
    except (OSError, HTTPException, EOFError, ValueError, LookupError, zlib.error) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{title} did not come through OpenML ({reason}): put {expected_files(name)} "
            f"in a folder and type  --data DIR"
        ) from None
    try:
        images, labels = _bytes(bunch.data), _bytes(bunch.target)
    except (ValueError, TypeError, OverflowError) as error:
        raise _refusal(name, title, f"not whole numbers ({error})") from None
    if images.shape != (70_000, 784) or labels.shape != (70_000,):
        raise _refusal(name, title, f"images {images.shape}, labels {labels.shape}")
    return images, labels


def _bytes(values: Any) -> Bytes:
    with np.errstate(invalid="ignore"):  # a NaN becomes some byte, which the checksum refuses
        return np.asarray(values).astype(np.uint8, order="C")


def _refusal(name: str, title: str, what: str) -> DataError:
    cache = Path(needs("sklearn.datasets", "lab").get_data_home(), "openml")
    return DataError(
        f"{title} came through OpenML, but not as published: {what}; delete {cache} and run "
        f"again, or put {expected_files(name)} in a folder and type  --data DIR"
    )
