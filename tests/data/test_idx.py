from __future__ import annotations

import gzip
import hashlib
import re
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from undertow.data.idx import CHECKSUMS, FILES, SHAPES, checksum, fault, read_folder, read_idx
from undertow.errors import DataError, UnknownName

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = FILES
ALL = f"{', '.join(FILES)} of mnist, gzipped or not,"

any_array = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=0, max_dims=6, min_side=0))
# The folder of one test serves all its examples: each overwrites the last one's file.
cheap = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def written(array: np.ndarray) -> bytes:
    """An IDX file of bytes, written from the format's description."""
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return struct.pack(">HBB", 0, 8, array.ndim) + sizes + array.tobytes()


def refusal(call, *arguments) -> str:
    """The message of the DataError that a call must raise; a message is one line."""
    with pytest.raises(DataError) as caught:
        call(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some-idx"


@pytest.fixture
def mnist(data_folder: Path, tmp_path: Path) -> Path:
    """A folder of its own for a test to spoil: links, so that nothing is copied."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for file in FILES:
        (folder / f"{file}.gz").symlink_to(data_folder / "mnist" / f"{file}.gz")
    return folder


def put(folder: Path, file: str, content: bytes) -> Path:
    """Put content in a file's place."""
    (folder / f"{file}.gz").unlink()
    path = folder / f"{file}.gz"
    path.write_bytes(content)
    return path


@cheap
@given(array=any_array, zipped=st.booleans())
def test_what_is_written_is_read(path: Path, array: np.ndarray, zipped: bool) -> None:
    content = written(array)
    path.write_bytes(gzip.compress(content) if zipped else content)
    read = read_idx(path)
    assert read.dtype == np.uint8
    assert read.shape == array.shape
    assert read.tobytes() == array.tobytes()
    assert read.flags.writeable
    assert checksum(read) == hashlib.sha256(content).hexdigest()


@cheap
@given(array=any_array, data=st.data())
def test_a_file_cut_at_any_byte_is_refused(path: Path, array: np.ndarray, data) -> None:
    content = written(array)
    length = data.draw(st.integers(0, len(content) - 1))
    path.write_bytes(content[:length])
    message = refusal(read_idx, path)
    header = 4 + 4 * array.ndim
    shape = " x ".join(map(str, array.shape)) or "1"
    if length == 0:
        assert message == f"{path} is empty: fetch it again"
    elif length < 4:
        assert message == (
            f"{path} is cut short: {length} bytes, and its header alone has 4; fetch it again"
        )
    elif length < header:
        assert message == (
            f"{path} is cut short: {length} bytes, and its header alone has {header}; "
            f"fetch it again"
        )
    else:
        assert message == (
            f"{path} is cut short: {length - header} bytes of data, and its header promises "
            f"{shape}; fetch it again"
        )


def test_a_gzip_file_cut_at_any_byte_is_refused(path: Path) -> None:
    content = gzip.compress(written(np.arange(30, dtype=np.uint8).reshape(5, 6)))
    for length in range(2, len(content)):
        path.write_bytes(content[:length])
        assert refusal(read_idx, path) == (
            f"{path} is cut short: its gzip data do not end; fetch it again"
        )
    path.write_bytes(content[:1])
    assert refusal(read_idx, path) == (
        f"{path} is not an IDX file of bytes: it begins with 1f, not 00 00 08; fetch it again"
    )


def test_a_flipped_bit_in_a_gzip_file_never_passes_as_other_data(path: Path) -> None:
    array = np.arange(30, dtype=np.uint8).reshape(5, 6)
    content = gzip.compress(written(array), mtime=0)
    refusals = []
    for bit in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            assert np.array_equal(read_idx(path), array)  # a bit of the time stamp, for one
        except DataError as error:
            refusals.append(str(error))
    assert len(refusals) > 4 * len(content)
    assert all(re.fullmatch(rf"{re.escape(str(path))} is .+ fetch it again", r) for r in refusals)


def test_a_damaged_gzip_checksum_is_named(path: Path) -> None:
    content = bytearray(gzip.compress(written(np.zeros(9, np.uint8))))
    content[-8] ^= 255
    path.write_bytes(content)
    assert refusal(read_idx, path) == (
        f"{path} is damaged (gzip: CRC check failed): fetch it again"
    )


no_idx = st.binary(min_size=2, max_size=2).filter(lambda two: two not in (b"\0\0", b"\x1f\x8b"))
no_type = st.sampled_from(sorted({*range(256)} - {8, 9, 11, 12, 13, 14}))


@cheap
@given(
    magic=st.one_of(
        st.tuples(no_idx, st.integers(0, 255)), st.tuples(st.just(b"\0\0"), no_type)
    ).map(lambda parts: parts[0] + bytes([parts[1]]))
)
def test_another_magic_is_refused(path: Path, magic: bytes) -> None:
    path.write_bytes(magic + b"\x01\0\0\0\x01\x05")
    assert refusal(read_idx, path) == (
        f"{path} is not an IDX file of bytes: it begins with {magic.hex(' ')}, "
        f"not 00 00 08; fetch it again"
    )


@pytest.mark.parametrize(
    ("code", "dtype"), [(9, "int8"), (11, "int16"), (12, "int32"), (13, "float32"), (14, "float64")]
)
def test_an_idx_file_of_other_numbers_is_refused(path: Path, code: int, dtype: str) -> None:
    path.write_bytes(bytes((0, 0, code, 1, 0, 0, 0, 1)) + bytes(8))
    assert refusal(read_idx, path) == (
        f"{path} holds {dtype} numbers, not unsigned bytes: write it again as uint8"
    )


def test_bytes_after_the_end_are_refused(path: Path) -> None:
    path.write_bytes(written(np.zeros((2, 3), np.uint8)) + b"\0")
    assert refusal(read_idx, path) == (
        f"{path} is too long: 7 bytes of data, and its header promises 2 x 3; fetch it again"
    )


def test_a_promise_beyond_64_bits_is_counted_right(path: Path) -> None:
    path.write_bytes(b"\0\0\x08\x02" + struct.pack(">II", 2**32 - 1, 2**32 - 1))
    assert refusal(read_idx, path) == (
        f"{path} is cut short: 0 bytes of data, and its header promises "
        f"4294967295 x 4294967295; fetch it again"
    )


def test_more_dimensions_than_an_array_can_have_are_refused(path: Path) -> None:
    path.write_bytes(b"\0\0\x08\xc8" + struct.pack(">200I", *[1] * 200) + b"\x05")
    assert refusal(read_idx, path) == (
        f"{path} is damaged: its header states {' x '.join('1' * 200)}, "
        f"a shape that no array can have; fetch it again"
    )


def test_what_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "missing"
    assert refusal(read_idx, missing) == f"there is no file {missing}: check its name"
    assert refusal(read_idx, tmp_path) == (
        f"{tmp_path} is a folder, not an IDX file: name a file in it"
    )

    # The superuser may read anything, so the refusal of the system is acted.
    def forbidden(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    assert refusal(read_idx, missing) == (
        f"{missing} cannot be read (Permission denied): check its rights"
    )
    monkeypatch.setattr(Path, "iterdir", forbidden)
    assert refusal(read_folder, tmp_path, "mnist") == (
        f"{tmp_path} cannot be read (Permission denied): check its rights"
    )


@pytest.mark.parametrize("name", CHECKSUMS)
def test_the_published_files_are_read(data_folder: Path, name: str) -> None:
    split = read_folder(data_folder / name, name)
    assert [part.shape for part in split] == list(SHAPES.values())
    assert all(part.dtype == np.uint8 for part in split)
    assert np.unique(split[1]).tolist() == list(range(10))
    assert (
        split[1][:5].tolist() == {"mnist": [5, 0, 4, 1, 9], "fashion-mnist": [9, 0, 0, 3, 0]}[name]
    )


def test_the_folder_above_and_the_other_spellings_are_read(
    data_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mnist"
    folder.mkdir()
    real = data_folder / "mnist"
    spelt = ["train-images.idx3-ubyte.gz", TRAIN_LABELS, "t10k-images.idx3-ubyte", TEST_LABELS]
    for file, spelling in zip(FILES, spelt, strict=True):
        content = (real / f"{file}.gz").read_bytes()
        plain = content if spelling.endswith(".gz") else gzip.decompress(content)
        (folder / spelling).write_bytes(plain)
    # A browser may unpack a file and keep its name.
    (folder / TEST_LABELS).rename(folder / f"{TEST_LABELS}.gz")
    for ours, theirs in zip(
        read_folder(tmp_path, "mnist"), read_folder(real, "mnist"), strict=True
    ):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("place", FILES)
@pytest.mark.parametrize("other", CHECKSUMS)
def test_a_swapped_file_is_called_by_its_name(
    data_folder: Path, mnist: Path, place: str, other: str
) -> None:
    # Train for test, images for labels, Fashion-MNIST for MNIST.
    came = FILES[(FILES.index(place) + 1) % 4] if other == "mnist" else place
    content = (data_folder / other / f"{came}.gz").read_bytes()
    path = put(mnist, place, content)
    assert refusal(read_folder, mnist, "mnist") == (
        f"{path} is {came} of {other}, not {place} of mnist: put {place} of mnist there"
    )


def test_the_folder_of_the_other_data_set_is_refused(data_folder: Path) -> None:
    path = data_folder / "mnist" / f"{TRAIN_IMAGES}.gz"
    assert refusal(read_folder, data_folder / "mnist", "fashion-mnist") == (
        f"{path} is {TRAIN_IMAGES} of mnist, not {TRAIN_IMAGES} of fashion-mnist: "
        f"put {TRAIN_IMAGES} of fashion-mnist there"
    )


def test_a_real_file_cut_short_is_refused(mnist: Path) -> None:
    content = (mnist / f"{TRAIN_IMAGES}.gz").read_bytes()
    path = put(mnist, TRAIN_IMAGES, content[: len(content) // 2])
    assert refusal(read_folder, mnist, "mnist") == (
        f"{path} is cut short: its gzip data do not end; fetch it again"
    )


def test_a_page_in_place_of_a_file_is_refused(mnist: Path) -> None:
    path = put(mnist, TRAIN_IMAGES, b"<!DOCTYPE html><title>404</title>")
    assert refusal(read_folder, mnist, "mnist") == (
        f"{path} is not an IDX file of bytes: it begins with 3c 21 44, not 00 00 08; fetch it again"
    )


def test_fewer_images_are_refused(mnist: Path) -> None:
    images = read_idx(mnist / f"{TEST_IMAGES}.gz")
    path = put(mnist, TEST_IMAGES, written(images[:100]))
    assert refusal(read_folder, mnist, "mnist") == (
        f"{path} holds 100 x 28 x 28 bytes, not 10000 x 28 x 28: put {TEST_IMAGES} of mnist there"
    )


def test_a_label_beyond_nine_is_refused(mnist: Path) -> None:
    labels = read_idx(mnist / f"{TRAIN_LABELS}.gz")
    labels[[7, 9]] = 10, 200
    path = put(mnist, TRAIN_LABELS, written(labels))
    assert refusal(read_folder, mnist, "mnist") == (
        f"{path} has the label 10 at item 7, and labels are 0 to 9: "
        f"put {TRAIN_LABELS} of mnist there"
    )


def test_one_altered_label_is_refused(mnist: Path) -> None:
    labels = read_idx(mnist / f"{TEST_LABELS}.gz")
    labels[0] = 8
    content = written(labels)
    came = hashlib.sha256(content).hexdigest()[:8]
    path = put(mnist, TEST_LABELS, content)
    assert refusal(read_folder, mnist, "mnist") == (
        f"{path} is not the published {TEST_LABELS} of mnist (SHA-256 {came}, not ff7bcfd4): "
        f"put {TEST_LABELS} of mnist there"
    )
    assert fault(labels, "mnist", TEST_LABELS) is not None
    labels[0] = 7
    assert fault(labels, "mnist", TEST_LABELS) is None


def test_missing_files_are_listed(mnist: Path) -> None:
    (mnist / f"{TEST_LABELS}.gz").unlink()
    assert refusal(read_folder, mnist, "mnist") == (
        f"{mnist} lacks {TEST_LABELS} of mnist: put it there, gzipped or not"
    )
    shutil.rmtree(mnist)
    mnist.mkdir()
    assert refusal(read_folder, mnist, "mnist") == (
        f"{mnist} lacks {', '.join(FILES)} of mnist: put them there, gzipped or not"
    )


def test_what_is_no_folder_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert refusal(read_folder, missing, "mnist") == (
        f"there is no folder {missing}: make it and put {ALL} there"
    )
    missing.write_bytes(b"")
    assert refusal(read_folder, missing, "mnist") == (
        f"{missing} is a file, not a folder: type  --data {tmp_path}"
    )


def test_a_broken_link_is_named(mnist: Path) -> None:
    path = mnist / f"{TRAIN_IMAGES}.gz"
    path.unlink()
    path.symlink_to(mnist / "gone")
    assert refusal(read_folder, mnist, "mnist") == f"there is no file {path}: check its name"


def test_another_data_set_is_unknown(tmp_path: Path) -> None:
    message = "unknown data set 'mnits': did you mean 'mnist'? Allowed: mnist, fashion-mnist."
    with pytest.raises(UnknownName, match=f"^{re.escape(message)}$"):
        read_folder(tmp_path, "mnits")
