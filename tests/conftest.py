"""What tests of several rooms share: the image data, a real Chromium, and the pages served."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from undertow.engine.lanes import native_library

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

    from tests.browser.looking import Seen, Served

REPOSITORY = Path(__file__).resolve().parent.parent
# Without the last four Chromium asks for addresses of its own at every start.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
INSTRUCTION_SETS = ("plain", "avx2", "avx512")  # each has what those before it have
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder that holds `mnist/` and `fashion-mnist/`, the published IDX files."""
    named = os.environ.get("UNDERTOW_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    lacking = [name for name in ("mnist", "fashion-mnist") if not (folder / name).is_dir()]
    if lacking:
        message = f"no {' and no '.join(lacking)} in {folder}: set UNDERTOW_DATA to their folder"
        # Where every change is judged, a test that skips itself would pass for ever.
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


def instruction_sets() -> tuple[str, ...]:
    """Name the lanes libraries that this processor can run, the plainest first."""
    best = native_library.library()
    name = best.lanes_name().decode() if best else "plain"
    return INSTRUCTION_SETS[: 1 + INSTRUCTION_SETS.index(name)]


@pytest.fixture(params=instruction_sets())
def instruction_set(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Train in lanes with each library in turn, not with the fastest alone."""
    found = native_library.load(request.param)
    assert found is not None
    assert found.lanes_name().decode() == request.param
    monkeypatch.setattr(native_library, "library", lambda: found)
    return request.param


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start Chromium once."""
    named = os.environ.get("UNDERTOW_CHROMIUM") or next(
        filter(None, map(shutil.which, NAMES)), None
    )
    if named is None:
        message = "no Chromium: type  apt-get install chromium  or set UNDERTOW_CHROMIUM to one"
        # Where every change is judged, a test that skips itself would pass for ever.
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=20_000)  # ms: the other core may be busy with other tests
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=named, args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Start `undertow app` as a program of its own, and end it when the tests are over.

    Its store is not there yet: whoever needs one makes it, and removes it.
    """
    from tests.browser.looking import Served  # beside the browser tests, which alone ask for this

    program = Path(sys.executable).with_name("undertow")
    store = tmp_path_factory.mktemp("served") / "runs.db"
    process = subprocess.Popen(
        [program, "app", "--no-browser", "--port", "0", "--store", store],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    line = process.stderr.readline()
    assert line.startswith("undertow: http://"), line
    yield Served(line.split()[1], process, store)
    process.kill()
    process.communicate()


@pytest.fixture
def store(served: Served) -> Iterator[Path]:
    """The store that the pages look at: a test makes it, and it is gone afterwards."""
    yield served.store
    for path in served.store.parent.glob("*"):
        path.unlink()


@pytest.fixture(scope="session")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One context for all pages: what marimo serves is fetched once."""
    made = browser.new_context()
    yield made
    made.close()


@pytest.fixture
def open_page(context: BrowserContext) -> Iterator[Callable[..., tuple[Page, Seen]]]:
    """Open a page, and note what it complains of and asks for."""
    from tests.browser.looking import Seen

    pages = []

    def open_(address: str, width: int = 1280, height: int = 900) -> tuple[Page, Seen]:
        page = context.new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.set_default_timeout(20_000)
        root = "/".join(address.split("/")[:3])
        seen = Seen(page, (root, root.replace("http", "ws", 1)))
        page.goto(address)
        return page, seen

    yield open_
    for page in pages:
        page.close()
