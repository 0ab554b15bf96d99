"""The IDX files of MNIST and Fashion-MNIST: read, checked, and told apart by their content."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from undertow.errors import DataError, UnknownName

Bytes = NDArray[np.uint8]
Split = tuple[Bytes, Bytes, Bytes, Bytes]

SHAPES = {
    "train-images-idx3-ubyte": (60_000, 28, 28),
    "train-labels-idx1-ubyte": (60_000,),
    "t10k-images-idx3-ubyte": (10_000, 28, 28),
    "t10k-labels-idx1-ubyte": (10_000,),
}
FILES = tuple(SHAPES)

# SHA-256 of each published file, uncompressed: two gzip programs give the same file other bytes.
CHECKSUMS = {
    "mnist": {
        FILES[0]: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        FILES[1]: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        FILES[2]: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        FILES[3]: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    "fashion-mnist": {
        FILES[0]: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        FILES[1]: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        FILES[2]: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        FILES[3]: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
}

_OTHER_TYPES = {9: "int8", 11: "int16", 12: "int32", 13: "float32", 14: "float64"}


def read_idx(path: str | os.PathLike[str]) -> Bytes:
    r"""Read one IDX file of unsigned bytes, gzipped or not.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "labels-idx1-ubyte")
    ...     _ = path.write_bytes(b"\0\0\x08\x01" + b"\0\0\0\x02" + b"\x07\x03")
    ...     read_idx(path)
    array([7, 3], dtype=uint8)

    Whether a file is gzipped is read from its first bytes, not from its name.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    array of uint8
        In the shape that the file states, writable.

    Raises
    ------
    DataError
        No such file, or not readable; cut short, damaged, too long, or not IDX bytes.
    """
    path = Path(path)
    content = _content(path)
    if not content:
        raise DataError(f"{path} is empty: fetch it again")
    if content[:2] == b"\0\0" and content[2:3] and content[2] in _OTHER_TYPES:
        raise DataError(
            f"{path} holds {_OTHER_TYPES[content[2]]} numbers, not unsigned bytes: "
            f"write it again as uint8"
        )
    if not b"\0\0\x08".startswith(content[:3]):
        raise DataError(
            f"{path} is not an IDX file of bytes: it begins with {content[:3].hex(' ')}, "
            f"not 00 00 08; fetch it again"
        )
    start = 4 + 4 * content[3] if len(content) > 3 else 4
    if len(content) < start:
        raise DataError(
            f"{path} is cut short: {len(content)} bytes, and its header alone has {start}; "
            f"fetch it again"
        )
    # Python's integers: a damaged header can promise more bytes than 64 bits count.
    shape = tuple(int(size) for size in np.frombuffer(content[4:start], ">u4"))
    promised, came = math.prod(shape), len(content) - start
    if came != promised:
        what = "is cut short" if came < promised else "is too long"
        raise DataError(
            f"{path} {what}: {came} bytes of data, and its header promises "
            f"{_times(shape)}; fetch it again"
        )
    try:
        return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()
    except ValueError:
        raise DataError(
            f"{path} is damaged: its header states {_times(shape)}, "
            f"a shape that no array can have; fetch it again"
        ) from None


def read_folder(folder: str | os.PathLike[str], name: str) -> Split:
    """Read the four files of MNIST or Fashion-MNIST, and refuse any but the published ones.

    >>> images, labels, *test = read_folder("data/mnist", "mnist")  # doctest: +SKIP
    >>> read_folder("nowhere", "mnist")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    undertow.errors.DataError: there is no folder nowhere: make it and put ...

    Each file may be gzipped, and may be called `train-images.idx3-ubyte`, with a dot.

    Parameters
    ----------
    folder : str or path
        The folder of the four files, or one that has it as its subfolder `name`.
    name : str
        `mnist` or `fashion-mnist`.

    Returns
    -------
    train_images, train_labels, test_images, test_labels : arrays of uint8
        Shapes (60000, 28, 28), (60000,), (10000, 28, 28) and (10000,).

    Raises
    ------
    UnknownName
        Another `name`.
    DataError
        A file that is missing, damaged, altered, or in another file's place.
    """
    if name not in CHECKSUMS:
        raise UnknownName("data set", name, CHECKSUMS)
    paths = _paths(Path(folder), name)
    train_images, train_labels, test_images, test_labels = (
        _read_published(paths[file], name, file) for file in FILES
    )
    return train_images, train_labels, test_images, test_labels


def fault(array: Bytes, name: str, file: str) -> str | None:
    """Say what keeps an array from being a published file's content; None if it is that.

    >>> fault(np.zeros(3, np.uint8), "mnist", "t10k-labels-idx1-ubyte")
    'holds 3 bytes, not 10000'

    Parameters
    ----------
    array : array of uint8
        What came.
    name, file : str
        Which data set, and which of `FILES`, it should be.
    """
    sums = {CHECKSUMS[other][twin]: (twin, other) for other in CHECKSUMS for twin in FILES}
    came, published = checksum(array), CHECKSUMS[name][file]
    if came == published:
        return None
    if came in sums:
        twin, other = sums[came]
        return f"is {twin} of {other}, not {file} of {name}"
    if array.shape != SHAPES[file]:
        return f"holds {_times(array.shape)} bytes, not {_times(SHAPES[file])}"
    if array.ndim == 1 and array.max() > 9:
        item = int(np.argmax(array > 9))
        return f"has the label {array[item]} at item {item}, and labels are 0 to 9"
    return f"is not the published {file} of {name} (SHA-256 {came[:8]}, not {published[:8]})"


def checksum(array: Bytes) -> str:
    """SHA-256 of the uncompressed IDX file that holds an array of bytes.

    >>> checksum(np.array([7, 3], np.uint8))[:8]
    '6174a6c6'
    """
    header = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    digest = hashlib.sha256(header)
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def expected_files(name: str) -> str:
    """The files of a data set, as a message lists them.

    >>> expected_files("mnist")[:50]
    'train-images-idx3-ubyte, train-labels-idx1-ubyte, '
    """
    return f"{', '.join(FILES)} of {name}, gzipped or not,"


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"there is no file {path}: check its name") from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder, not an IDX file: name a file in it") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): check its rights") from None
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return gzip.decompress(content)
    except EOFError:
        raise DataError(f"{path} is cut short: its gzip data do not end; fetch it again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged (gzip: {error}): fetch it again") from None


def _paths(folder: Path, name: str) -> dict[str, Path]:
    try:
        entries = {entry.name for entry in folder.iterdir()}
    except FileNotFoundError:
        raise DataError(
            f"there is no folder {folder}: make it and put {expected_files(name)} there"
        ) from None
    except NotADirectoryError:
        raise DataError(f"{folder} is a file, not a folder: type  --data {folder.parent}") from None
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error.strerror}): check its rights") from None
    present = {file: [s for s in _spellings(file) if s in entries] for file in FILES}
    found = {file: folder / names[0] for file, names in present.items() if names}
    if not found and name in entries:
        return _paths(folder / name, name)
    missing = [file for file in FILES if file not in found]
    if missing:
        raise DataError(
            f"{folder} lacks {', '.join(missing)} of {name}: put "
            f"{'it' if len(missing) == 1 else 'them'} there, gzipped or not"
        )
    return found


def _spellings(file: str) -> tuple[str, ...]:
    dotted = file.replace("-idx", ".idx")
    return file, f"{file}.gz", dotted, f"{dotted}.gz"


def _read_published(path: Path, name: str, file: str) -> Bytes:
    array = read_idx(path)
    what = fault(array, name, file)
    if what is not None:
        raise DataError(f"{path} {what}: put {file} of {name} there")
    return array


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "1"
