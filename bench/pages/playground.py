"""How soon the playground shows its first picture, and how often a training redraws it.

    python -m bench.pages.playground [--rounds 5]

In one headless Chromium, against the installed program. *Ready* is when the controls are there;
*first picture* the prediction and one real pass of eight seeds; *updates* are different epochs
announced while ten layers of ten units train on moons.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

PROGRAM = Path(sys.executable).with_name("undertow")
COUNT = """() => new Promise(done => {
  const seen = new Map(), began = performance.now();
  const look = () => {
    const line = document.querySelector('.ut-state')?.textContent || '';
    if (line.startsWith('training') && !seen.has(line)) seen.set(line, performance.now());
    if (performance.now() - began > 60000 || (seen.size && !line)) done([...seen.values()]);
    else requestAnimationFrame(look);
  };
  look();
})"""


def main() -> None:
    """Measure, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    server = subprocess.Popen(
        [PROGRAM, "app", "--no-browser", "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    assert server.stderr
    here = server.stderr.readline().split()[1]
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            firsts, trainings = [], []
            for number in range(rounds + 1):
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                first = first_picture(page, here)
                times = updates(page)
                page.close()
                if number:  # the first page warms the server up
                    firsts.append(first)
                    trainings.append(times)
            browser.close()
    finally:
        server.kill()
    report(firsts, trainings)


def first_picture(page: Page, here: str) -> tuple[float, float]:
    """Return the seconds to the controls, and from there to the first picture."""
    began = time.perf_counter()
    page.goto(f"{here}playground/?epochs=500")
    page.wait_for_selector(".ut-controls")
    ready = time.perf_counter()
    page.wait_for_selector(".ut-scene")
    return ready - began, time.perf_counter() - ready


def updates(page: Page) -> list[float]:
    """Train, and return when each new epoch was first seen, in ms."""
    page.get_by_role("button", name="Train / pause").click()
    return page.evaluate(COUNT)


def report(firsts: list[tuple[float, float]], trainings: list[list[float]]) -> None:
    """Print what was measured."""
    ready = statistics.median(first[0] for first in firsts)
    shown = statistics.median(first[1] for first in firsts)
    rates = [1000 * (len(times) - 1) / (times[-1] - times[0]) for times in trainings]
    gaps = [later - earlier for times in trainings for earlier, later in pairwise(times)]
    print(f"ready after {ready:.2f} s; first picture {shown:.2f} s later (asked: 1 s)")
    print(
        f"updates while training: {statistics.median(rates):.1f} a second (asked: 2), the longest "
        f"gap {max(gaps) / 1000:.2f} s, over {len(gaps)} updates"
    )


if __name__ == "__main__":
    main()
