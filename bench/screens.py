"""Take the pictures of the pages that the documentation shows, at 1280 and 400 pixels.

    python bench/screens.py [FOLDER]

They go into docs/images. Needs Chromium.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

BIN = Path(sys.executable).parent
IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
WIDTHS = (1280, 400)
HEIGHTS = {1280: 1000, 400: 1200}
LONG = 120_000  # ms


def main() -> None:
    """Serve the pages, make a report, and take a picture of each."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    server = subprocess.Popen(
        [BIN / "undertow", "app", "--no-browser", "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    assert server.stderr
    here = server.stderr.readline().split()[1]
    try:
        with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            for width in WIDTHS:
                home(browser, here, width, folder)
                playground(browser, here, width, folder)
                lesson(browser, here, width, folder)
                report(browser, made_report(Path(scratch)), width, folder)
            browser.close()
    finally:
        server.kill()
        server.communicate()


def opened(browser: Browser, address: str, width: int) -> Page:
    """Open a page in a window of this width."""
    page = browser.new_page(viewport={"width": width, "height": HEIGHTS[width]})
    page.goto(address)
    return page


def home(browser: Browser, here: str, width: int, folder: Path) -> None:
    """The page of links."""
    page = opened(browser, here, width)
    page.screenshot(path=folder / f"home-{width}.png")
    page.close()


def playground(browser: Browser, here: str, width: int, folder: Path) -> None:
    """A sigmoid stack, and the first remedy beside it."""
    page = opened(browser, f"{here}playground/", width)
    page.wait_for_selector(".ut-scene", timeout=LONG)
    page.get_by_role("button", name="Train / pause").click()
    page.wait_for_selector(".ut-dots", timeout=LONG)
    page.wait_for_selector(".ut-state", state="detached", timeout=LONG)
    page.get_by_role("button", name="Apply batch-norm").click()
    page.wait_for_selector(".ut-difference", timeout=LONG)
    page.wait_for_selector(".ut-state", state="detached", timeout=LONG)
    page.mouse.move(0, 0)
    page.wait_for_timeout(1_000)  # until the last figure is drawn
    page.screenshot(path=folder / f"playground-{width}.png")
    page.close()


def lesson(browser: Browser, here: str, width: int, folder: Path) -> None:
    """The first lesson as it opens."""
    page = opened(browser, f"{here}lessons/1/", width)
    page.get_by_text("Forecast").first.wait_for(timeout=LONG)
    page.wait_for_timeout(1_000)
    page.screenshot(path=folder / f"lesson-{width}.png")
    page.close()


def made_report(scratch: Path) -> Path:
    """Write the report of a small study, once."""
    path = scratch / "report.html"
    if not path.exists():
        command = ["run", "moons", "--replicates", "8", "--store", scratch / "runs.db"]
        subprocess.run(
            [BIN / "undertow", *command, "--report", path],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    return path


def report(browser: Browser, path: Path, width: int, folder: Path) -> None:
    """The first screen of the report."""
    page = opened(browser, path.as_uri(), width)
    page.wait_for_timeout(2_000)
    page.screenshot(path=folder / f"report-{width}.png")
    page.close()


if __name__ == "__main__":
    main()
