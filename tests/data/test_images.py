from __future__ import annotations

import hashlib
import io
import json
import re
import sys
import urllib.error
import urllib.request
import urllib.response
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import sklearn.datasets

from undertow.data.idx import FILES, Split, read_folder
from undertow.data.images import digits, images
from undertow.data.openml import read_openml
from undertow.errors import DataError, MissingExtra, UnknownName

ALL = f"{', '.join(FILES)} of mnist, gzipped or not,"
REAL_FETCH = sklearn.datasets.fetch_openml
Serve = Callable[..., list[tuple[str, dict]]]


@pytest.fixture(scope="module")
def mnist(data_folder: Path) -> Split:
    return read_folder(data_folder, "mnist")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every test starts without UNDERTOW_DATA and without OpenML."""

    def asked(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.delenv("UNDERTOW_DATA", raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", asked)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Put rows, or an error, in the place of what OpenML answers; returns the calls made."""

    def answer(pixels=None, labels=None, error: BaseException | None = None):
        calls: list[tuple[str, dict]] = []

        def fetch(title: str, **options):
            calls.append((title, options))
            if error is not None:
                raise error
            return SimpleNamespace(data=pixels, target=labels)

        monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
        return calls

    return answer


def rows(split: Split) -> tuple[np.ndarray, np.ndarray]:
    """The 70,000 rows in OpenML's order, and in memory by columns, as its reader leaves them."""
    pixels = np.concatenate([split[0], split[2]]).reshape(-1, 784)
    return np.asfortranarray(pixels), np.concatenate([split[1], split[3]])


def refusal(call, *arguments) -> str:
    """The message of the DataError that a call must raise; a message is one line."""
    with pytest.raises(DataError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_gives_scaled_rows(data_folder: Path, mnist: Split) -> None:
    parts = images("mnist", data_folder / "mnist")
    assert [part.shape for part in parts] == [(60_000, 784), (60_000,), (10_000, 784), (10_000,)]
    assert [part.dtype.name for part in parts] == ["float32", "int64"] * 2
    assert [float(parts[0].min()), float(parts[0].max())] == [0, 1]
    bytes_again = np.rint(parts[2][:500] * 255).astype(np.uint8)
    assert np.array_equal(bytes_again, mnist[2][:500].reshape(500, 784))
    assert np.array_equal(parts[3], mnist[3])


def test_the_environment_names_a_folder(
    data_folder: Path, mnist: Split, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for folder in (data_folder, data_folder / "mnist"):
        monkeypatch.setenv("UNDERTOW_DATA", str(folder))
        assert np.array_equal(images("mnist")[3], mnist[3])
    monkeypatch.setenv("UNDERTOW_DATA", str(tmp_path))
    assert refusal(images, "mnist") == (
        f"{tmp_path} lacks {', '.join(FILES)} of mnist: put them there, gzipped or not "
        f"(UNDERTOW_DATA names this folder)"
    )
    missing = tmp_path / "missing"
    assert refusal(images, "mnist", missing) == (
        f"there is no folder {missing}: make it and put {ALL} there"
    )


def test_openml_gives_what_the_files_give(mnist: Split, serve: Serve) -> None:
    pixels, labels = rows(mnist)
    calls = serve(pixels, labels.astype(str).astype(object))
    for ours, theirs in zip(read_openml("mnist"), mnist, strict=True):
        assert ours.dtype == np.uint8
        assert np.array_equal(ours, theirs)
    assert calls == [("mnist_784", {"version": 1, "as_frame": False, "parser": "liac-arff"})]


def test_without_a_folder_openml_is_asked(
    monkeypatch: pytest.MonkeyPatch, mnist: Split, serve: Serve
) -> None:
    monkeypatch.setenv("UNDERTOW_DATA", "")
    calls = serve(*rows(mnist))
    assert np.array_equal(images("mnist")[3], mnist[3])
    assert len(calls) == 1


def test_openml_in_another_order_is_refused(mnist: Split, serve: Serve, tmp_path: Path) -> None:
    pixels, labels = rows(mnist)
    serve(pixels[::-1], labels[::-1])
    assert re.fullmatch(
        re.escape(
            f"mnist_784 came through OpenML, but not as published: {FILES[0]} is not the "
            f"published {FILES[0]} of mnist (SHA-256 "
        )
        + "[0-9a-f]{8}"
        + re.escape(
            f", not ba891046); delete {tmp_path / 'cache' / 'openml'} and run again, or put "
            f"{ALL} in a folder and type  --data DIR"
        ),
        refusal(read_openml, "mnist"),
    )


@pytest.mark.parametrize(
    ("pixels", "labels", "what"),
    [
        (np.zeros((9, 784)), np.zeros(9), "images (9, 784), labels (9,)"),
        (np.zeros((2, 2)), ["shoe"], "not whole numbers (invalid literal for int() with base 10"),
        ([["-1"]], [0], "not whole numbers ("),
    ],
)
def test_other_rows_from_openml_are_refused(serve: Serve, pixels, labels, what: str) -> None:
    serve(np.array(pixels, object), np.array(labels, object))
    message = refusal(read_openml, "mnist")
    assert message.startswith(f"mnist_784 came through OpenML, but not as published: {what}")
    assert message.endswith(f"or put {ALL} in a folder and type  --data DIR")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (urllib.error.URLError("no\nroute"), "<urlopen error no route>"),
        (TimeoutError("timed out"), "timed out"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (ValueError("md5 checksum does not match"), "md5 checksum does not match"),
        (EOFError(), "EOFError"),
        (KeyError("data"), "'data'"),
    ],
)
def test_without_network_one_line_says_which_files_go_where(
    serve: Serve, error: Exception, reason: str
) -> None:
    serve(error=error)
    assert refusal(images, "mnist") == (
        f"mnist_784 did not come through OpenML ({reason}): put {ALL} "
        f"in a folder and type  --data DIR"
    )


def test_an_interruption_passes(serve: Serve) -> None:
    serve(error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        read_openml("mnist")


def test_progress_is_for_terminals(
    serve: Serve, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(error=TimeoutError("timed out"))
    refusal(read_openml, "fashion-mnist")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    refusal(read_openml, "fashion-mnist")
    assert capsys.readouterr().err == (
        "Loading Fashion-MNIST through OpenML (about 40 MB the first time, "
        "from scikit-learn's cache later) ...\n"
    )


class TinyOpenML(urllib.request.BaseHandler):
    """Two rows of 784 pixels, served to the real scikit-learn in place of the web."""

    def __init__(self) -> None:
        plain = {"is_ignore": "false", "is_row_identifier": "false", "number_of_missing_values": 0}
        pixel = {"data_type": "numeric", "is_target": "false"} | plain
        label = {"data_type": "nominal", "is_target": "true"} | plain
        label |= {"index": "784", "name": "class"}
        columns = [{"index": str(i), "name": f"pixel{i}"} | pixel for i in range(784)]
        lines = [f"@ATTRIBUTE {column['name']} REAL" for column in columns]
        rows = [",".join(["7"] * 784 + [digit]) for digit in "50"]
        head = ["@RELATION tiny", *lines, "@ATTRIBUTE class {0,1,2,3,4,5,6,7,8,9}", "@DATA"]
        arff = "\n".join([*head, *rows, ""])
        described = {
            "name": "mnist_784",
            "description": "",
            "format": "ARFF",
            "status": "active",
            "url": "https://www.openml.org/tiny.arff",
            "md5_checksum": hashlib.md5(arff.encode(), usedforsecurity=False).hexdigest(),
        }
        size = [{"name": "NumberOfInstances", "value": "2"}]
        self.pages = {
            "data_version/1": json.dumps({"data": {"dataset": [{"did": 554}]}}),
            "data/554": json.dumps({"data_set_description": described}),
            "features/554": json.dumps({"data_features": {"feature": [*columns, label]}}),
            "qualities/554": json.dumps({"data_qualities": {"quality": size}}),
            "tiny.arff": arff,
        }

    def https_open(self, request: urllib.request.Request) -> urllib.response.addinfourl:
        page = next(text for end, text in self.pages.items() if request.full_url.endswith(end))
        body = io.BytesIO(page.encode())
        return urllib.response.addinfourl(body, Message(), request.full_url, 200)


def test_scikit_learn_reads_what_openml_sends(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The other tests fake the reader; here it is the real one, and only the web is faked."""
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", REAL_FETCH)
    opener = urllib.request.OpenerDirector()
    opener.add_handler(TinyOpenML())
    monkeypatch.setattr(urllib.request, "_opener", opener)
    cache = tmp_path / "cache" / "openml"
    refused = (
        f"mnist_784 came through OpenML, but not as published: images (2, 784), labels (2,); "
        f"delete {cache} and run again, or put {ALL} in a folder and type  --data DIR"
    )
    assert refusal(read_openml, "mnist") == refused
    monkeypatch.setattr(urllib.request, "_opener", urllib.request.OpenerDirector())
    assert refusal(read_openml, "mnist") == refused  # from the cache


def test_without_scikit_learn_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Without:
        def find_spec(self, name: str, *_):
            if name == "sklearn":
                raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")

    monkeypatch.delitem(sys.modules, "sklearn")
    monkeypatch.delitem(sys.modules, "sklearn.datasets")
    monkeypatch.setattr(sys, "meta_path", [Without(), *sys.meta_path])
    message = "sklearn.datasets is not installed: type  pip install 'undertow[lab]'"
    for read in (digits, lambda: images("mnist")):
        with pytest.raises(MissingExtra, match=f"^{re.escape(message)}$"):
            read()


@pytest.mark.parametrize("read", [images, read_openml])
def test_another_data_set_is_unknown(read) -> None:
    message = "unknown data set 'digit': Allowed: mnist, fashion-mnist."
    with pytest.raises(UnknownName, match=f"^{re.escape(message)}$"):
        read("digit")


def test_digits_are_the_same_each_time() -> None:
    train_images, train_labels, test_images, test_labels = digits()
    assert train_images.dtype == test_images.dtype == np.float32
    assert train_labels.dtype == test_labels.dtype == np.int64
    assert float(train_images.min()) == 0
    assert float(train_images.max()) == 1
    shares = np.bincount(test_labels) / (np.bincount(test_labels) + np.bincount(train_labels))
    assert np.allclose(shares, 0.25, atol=0.005)
    for first, second in zip(digits(), digits(), strict=True):
        assert np.array_equal(first, second)
