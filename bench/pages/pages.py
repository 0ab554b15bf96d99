"""How soon the page of runs shows a store of 200 runs, and how soon a step that another writes.

    python -m bench.pages.pages [--rounds 5] [--runs 200]

In one headless Chromium, against the installed program. *First* is a browser that has seen no page
of this server, *again* one that has its programs in its cache. *Step* is from the flush of a step
by another process until the page names it.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, BrowserContext, sync_playwright

import undertow as ut
from undertow.data.dataset import load
from undertow.experiments import experiment
from undertow.studies import study
from undertow.trace.record import Chunk, Header, Layer, provenance
from undertow.trace.store.reader import Store

PROGRAM = Path(sys.executable).with_name("undertow")
LAYERS = tuple(Layer(f"layer {place}", place, "linear", "tanh", 20, 20) for place in range(1, 11))
STEPS = 10


def main() -> None:
    """Measure, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=200)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "runs.db"
        filled(path, chosen.runs)
        server = subprocess.Popen(
            [PROGRAM, "app", "--no-browser", "--port", "0", "--store", path],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert server.stderr
        address = server.stderr.readline().split()[1] + "runs/"
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            firsts, agains = opened(browser, address, chosen.rounds)
            with ut.open(path) as store:
                steps = followed(browser.new_context(), address, store)
        finally:
            browser.close()
            server.kill()
            server.communicate()
    print(f"{chosen.runs} runs, seconds until list and picture of the newest are there (asked: 2)")
    for name, seconds in (("first", firsts), ("again", agains)):
        print(f"  {name}: median {statistics.median(seconds):.2f}, most {max(seconds):.2f}")
    print(f"a step of another process: median {statistics.median(steps):.2f} s until it is named")


def filled(path: Path, runs: int) -> None:
    """Fill a store with small studies."""
    moons, data = experiment("moons"), load("moons")
    with ut.open(path, create=True) as store:
        for number in range(-(-runs // len(moons.arms))):
            planned = study.plan(moons, data, replicates=4, epochs=10, seed=100 * number)
            study.run(planned[: runs - len(moons.arms) * number], data, store, workers=1)


def opened(browser: Browser, address: str, rounds: int) -> tuple[list[float], list[float]]:
    """Open the page in fresh contexts, twice in each."""
    firsts, agains = [], []
    for number in range(rounds + 1):
        context = browser.new_context()
        for found in (firsts, agains):
            page = context.new_page()
            began = time.perf_counter()
            page.goto(address)
            page.get_by_role("row").nth(1).wait_for()
            page.wait_for_selector(".ut-verdict")
            if number:  # the first warms the server up
                found.append(time.perf_counter() - began)
            page.close()
        context.close()
    return firsts, agains


def followed(context: BrowserContext, address: str, store: Store) -> list[float]:
    """Write a run step by step, and time each until the page names it."""
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector(".ut-verdict")
    writer = store.begin("live", "live", "live", Header(LAYERS, (0,), provenance("watched")))
    page.get_by_text("live: running").wait_for()
    seconds = []
    for step in range(1, STEPS + 1):
        norms = np.full((1, 1, len(LAYERS)), 1.0 / step, np.float32)
        arrays = {"grad_norm": norms, "delta_norm": norms, "loss": norms[..., 0]}
        writer.append(0, Chunk(np.array([step]), np.array([1]), arrays))
        writer.flush()
        began = time.perf_counter()
        page.get_by_text(f"step {step},").wait_for()
        seconds.append(time.perf_counter() - began)
    writer.finish()
    return seconds


if __name__ == "__main__":
    main()
