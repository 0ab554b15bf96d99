"""Small two-dimensional data sets, made from a few numbers or read from a table of the user's."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np

from undertow.data.dataset import Data
from undertow.errors import DataError, needs
from undertow.spec.toy import FEWEST, MOST, ToySpec

TESTED = 0.2


def make_samples(spec: ToySpec, table: str | None = None) -> Data:
    """Make the samples; `table` is the text of the user's file where the shape is `table`.

    >>> make_samples(ToySpec(shape="moons", samples=500)).train_inputs.shape
    (400, 2)

    With 250 moons of noise .05 and seed 42 these are the samples of the experiment `moons`.

    Raises
    ------
    DataError
        A table that is not there or cannot be read.
    """
    if spec.shape == "table":
        if table is None:
            raise DataError("no table yet: drop in a CSV file of two columns and a label")
        inputs, targets = read_table(table)
    else:
        inputs, targets = _draw(spec)
    split = needs("sklearn.model_selection", "lab").train_test_split
    parts = split(inputs.astype(np.float32), targets, test_size=TESTED, random_state=42)
    train_inputs, test_inputs, train_targets, test_targets = parts
    train_inputs, test_inputs = _scale(spec, train_inputs, test_inputs)
    return Data(spec.shape, train_inputs, train_targets, test_inputs, test_targets)


def read_table(text: str) -> tuple[np.ndarray, np.ndarray]:
    r"""Read two columns of numbers and a label of two values; a first line of names may be there.

    >>> inputs, targets = read_table("x,y,label\n" + "0.5,1,a\n-2,3,b\n" * 10)
    >>> inputs.shape, targets[:2].tolist()
    ((20, 2), [0, 1])

    Raises
    ------
    DataError
        Another number of columns, what is no number, too few or too many lines, or other than two
        labels; the line is named.
    """
    try:
        dialect: Any = csv.Sniffer().sniff(text[:2_000], delimiters=",;\t ")
    except csv.Error:
        dialect = csv.excel
    rows = [row for row in csv.reader(io.StringIO(text), dialect) if any(map(str.strip, row))]
    first = 1
    if rows and not any(map(_reads, rows[0][:2])):
        rows, first = rows[1:], 2
    if not FEWEST <= len(rows) <= MOST:
        raise DataError(f"the table has {len(rows)} samples: {FEWEST} to {MOST:,} are allowed")
    for line, row in enumerate(rows, start=first):
        if len(row) != 3:
            raise DataError(
                f"line {line} of the table has {len(row)} columns: two numbers and a label are "
                "expected, for example  0.5,-1.2,a"
            )
        if not all(map(_is_number, row[:2])):
            raise DataError(
                f"line {line} of the table begins with '{row[0]}', '{row[1]}': two numbers and a "
                "label are expected, for example  0.5,-1.2,a"
            )
    labels = sorted({row[2].strip() for row in rows})
    if len(labels) != 2:
        raise DataError(f"the table has {len(labels)} labels: exactly 2 are expected")
    inputs = np.array([[float(cell) for cell in row[:2]] for row in rows])
    targets = np.array([labels.index(row[2].strip()) for row in rows])
    if min(np.bincount(targets)) < 5:
        raise DataError("one label has fewer than 5 samples: a fifth of each must be held out")
    return inputs, targets


def _draw(spec: ToySpec) -> tuple[np.ndarray, np.ndarray]:
    datasets = needs("sklearn.datasets", "lab")
    count, noise, seed = spec.samples, spec.noise, spec.seed
    if spec.shape == "moons":
        return datasets.make_moons(count, noise=noise, random_state=seed)
    if spec.shape == "circles":
        return datasets.make_circles(count, factor=0.5, noise=noise, random_state=seed)
    return datasets.make_blobs(
        count, centers=[[-1, -1], [1, 1]], cluster_std=noise, random_state=seed
    )


def _scale(spec: ToySpec, *sets: np.ndarray) -> list[np.ndarray]:
    mean, deviation = sets[0].mean(0), sets[0].std(0)
    if spec.standardised:
        sets = tuple((inputs - mean) / np.where(deviation > 0, deviation, 1) for inputs in sets)
    return [(inputs * spec.scale + spec.offset).astype(np.float32) for inputs in sets]


def _reads(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_number(cell: str) -> bool:
    return _reads(cell) and bool(np.isfinite(float(cell)))
