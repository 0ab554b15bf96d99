"""Take the pictures of the pages that the documentation shows, at 1280 and 400 pixels.

    python -m bench.docs.screens [FOLDER]

They go into docs/images. Needs Chromium.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console

import undertow as ut
from undertow.show.terminal import live
from undertow.verbs import watch

BIN = Path(sys.executable).parent
IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
WIDTHS = (1280, 400)
HEIGHTS = {1280: 1000, 400: 1200}
LONG = 120_000  # ms
STORE = "undertow.db"
COLUMNS = 100  # of the terminal
WIDE = 128  # of the network watched: smaller ones take steps too short to pay for a look


def main() -> None:
    """Make a report and a store, serve the pages, and take a picture of each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, default=IMAGES, help="docs/images")
    folder = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        made = made_report(Path(scratch))
        with ut.open(Path(scratch) / STORE) as store:
            arms = {run.attributes["arm"]: run.id for run in store.runs()}
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        # In its folder, so that the pages name the store as a user's would be named.
        server = subprocess.Popen(
            [BIN / "undertow", "app", "--no-browser", "--port", "0", "--store", STORE],
            stderr=subprocess.PIPE,
            text=True,
            cwd=scratch,
        )
        assert server.stderr
        here = server.stderr.readline().split()[1]
        try:
            for width in WIDTHS:
                home(browser, here, width, folder)
                playground(browser, here, width, folder)
                runs(browser, here, arms, width, folder)
                experiments(browser, here, width, folder)
                lesson(browser, here, width, folder)
                report(browser, made, width, folder)
            monitor(browser, Path(scratch) / "watched.db", folder)
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


def runs(browser: Browser, here: str, arms: dict[str, str], width: int, folder: Path) -> None:
    """Two arms side by side; `arms` has the run of each."""
    page = opened(browser, f"{here}runs/?run={arms['sigmoid']}&against={arms['relu']}", width)
    page.wait_for_selector(".ut-difference", timeout=LONG)
    page.wait_for_timeout(2_000)  # until the last figure is drawn
    page.screenshot(path=folder / f"runs-{width}.png")
    page.close()


def experiments(browser: Browser, here: str, width: int, folder: Path) -> None:
    """A study that is whole, with its claims."""
    page = opened(browser, f"{here}experiments/?study=moons&replicates=8", width)
    page.locator("caption", has_text="Published claims").wait_for(timeout=LONG)
    page.wait_for_timeout(1_000)
    page.screenshot(path=folder / f"experiments-{width}.png")
    page.close()


def made_report(scratch: Path) -> Path:
    """Train a small study into the store, and write its report."""
    path = scratch / "report.html"
    command = ["run", "moons", "--replicates", "8", "--store", scratch / STORE]
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


def monitor(browser: Browser, store: Path, folder: Path) -> None:
    """The terminal of `undertow watch`, beside a training."""
    watched(store)
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    with ut.open(store) as opened:
        seen = watch.snapshot(opened, opened.runs()[-1])
    console.print("$ undertow watch runs.db", style="dim")
    console.print(live.view(seen.document, seen.losses, width=COLUMNS, height=34))
    page = browser.new_page(viewport={"width": 980, "height": 800}, device_scale_factor=1.5)
    page.set_content(console.export_html(inline_styles=True))
    page.add_style_tag(content="body { margin: 0; } pre { padding: 1rem; background: #fff; }")
    page.locator("pre").screenshot(path=folder / "watch.png")
    page.close()


def watched(store: Path) -> None:
    """Train a stack of sigmoids on two blobs, watched."""
    torch.manual_seed(0)
    layers = [torch.nn.Linear(20, WIDE), torch.nn.Sigmoid()]
    for _ in range(6):
        layers += [torch.nn.Linear(WIDE, WIDE), torch.nn.Sigmoid()]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(WIDE, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    inputs = torch.randn(512, 20)
    targets = (inputs[:, :1] > 0).float()
    loss_fn = torch.nn.BCEWithLogitsLoss()
    with ut.watch(model, optimizer, store=store, name="sigmoid-stack") as w:
        for _ in range(5_000):
            chosen = torch.randint(0, 512, (256,))
            loss = loss_fn(model(inputs[chosen]), targets[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            w.log(loss=loss)


if __name__ == "__main__":
    main()
