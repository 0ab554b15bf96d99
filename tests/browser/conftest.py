"""A real Chromium, and the pages as an installed program serves them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from looking import Seen, Served, serious
from playwright.sync_api import Browser, Page, sync_playwright

# Without the last four Chromium asks for addresses of its own at every start.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
__all__ = ["Seen", "Served", "serious"]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


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
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=named, args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Served]]:
    """Start `undertow app` as a program of its own; each is ended when the tests are."""
    running: list[subprocess.Popen[str]] = []

    def start(store: Path | None = None, *options: str) -> Served:
        store = store or tmp_path_factory.mktemp("served") / "runs.db"
        program = Path(sys.executable).with_name("undertow")
        process = subprocess.Popen(
            [program, "app", "--no-browser", "--port", "0", "--store", store, *options],
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert process.stderr
        line = process.stderr.readline()
        assert line.startswith("undertow: http://"), line
        return Served(line.split()[1], store, process)

    yield start
    for process in running:
        process.terminate()
    for process in running:
        process.wait()
        if process.stderr:
            process.stderr.close()


@pytest.fixture(scope="session")
def served(serve: Callable[..., Served]) -> Served:
    """One server for the tests that need nothing of their own."""
    return serve()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., tuple[Page, Seen]]]:
    """Open a page in a context of its own, and note what it complains of."""
    contexts = []

    def open_(address: str, width: int = 1280, height: int = 900) -> tuple[Page, Seen]:
        context = browser.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        seen = Seen(
            page,
            (
                address.split("?")[0].rstrip("/"),
                "/".join(address.split("/")[:3]),
                address.replace("http", "ws", 1).split("?")[0],
            ),
        )
        page.goto(address)
        return page, seen

    yield open_
    for context in contexts:
        context.close()
