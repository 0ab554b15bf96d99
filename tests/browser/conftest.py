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
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

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
def served() -> Iterator[Served]:
    """Start `undertow app` as a program of its own, and end it when the tests are over."""
    program = Path(sys.executable).with_name("undertow")
    process = subprocess.Popen(
        [program, "app", "--no-browser", "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    line = process.stderr.readline()
    assert line.startswith("undertow: http://"), line
    yield Served(line.split()[1], process)
    process.kill()
    process.communicate()


@pytest.fixture(scope="session")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One context for all pages: what marimo serves is fetched once."""
    made = browser.new_context()
    yield made
    made.close()


@pytest.fixture
def open_page(context: BrowserContext) -> Iterator[Callable[..., tuple[Page, Seen]]]:
    """Open a page, and note what it complains of and asks for."""
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
