"""The page of experiments, as a person uses it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

import undertow as ut
from tests.browser.looking import Seen, Served, serious
from undertow.data.dataset import load
from undertow.experiments import experiment
from undertow.studies import study

LONG = 60_000  # ms, for what trains

Open = Callable[..., tuple[Page, Seen]]


@pytest.fixture(scope="module")
def whole_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with every arm of moons, one network each, trained for an epoch."""
    made = tmp_path_factory.mktemp("trained") / "runs.db"
    data = load("moons")
    planned = study.plan(experiment("moons"), data, replicates=1, epochs=1)
    with ut.open(made, create=True) as opened:
        study.run(planned, data, opened, workers=1)
    return made


@pytest.fixture
def trained(store: Path, whole_study: Path) -> str:
    """The words of the address of the study that the store holds."""
    shutil.copy(whole_study, store)
    return "?replicates=1&epochs=1"


@pytest.fixture
def experiments(served: Served, open_page: Open, store: Path) -> Callable[..., tuple[Page, Seen]]:
    def open_(words: str = "", width: int = 1280) -> tuple[Page, Seen]:
        page, seen = open_page(f"{served.address}experiments/{words}", width)
        expect(page.locator(".ut-study, .ut-problem").first).to_be_visible(timeout=LONG)
        return page, seen

    return open_


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def number(page: Page, name: str) -> Locator:
    return page.locator("marimo-number").filter(has_text=name).locator("input")


def test_a_study_trains_and_is_judged_and_reported(experiments):
    page, seen = experiments("?replicates=2&epochs=3")
    expect(page.locator(".ut-typed")).to_contain_text(
        "undertow run moons --replicates 2 --epochs 3 --store"
    )
    expect(page.get_by_role("cell", name="not begun")).to_have_count(10)
    press(page, "Train / go on")
    expect(page.get_by_role("cell", name="finished")).to_have_count(10, timeout=LONG)
    expect(page.locator(".ut-state")).to_contain_text("Trained.", timeout=LONG)
    arms = page.get_by_role("region", name="Arms")
    expect(arms.get_by_role("row").nth(1)).to_have_text(re.compile("^sigmoid.*2 of 2"))
    claims = page.get_by_role("region", name="Published claims, judged by these runs")
    expect(claims).to_contain_text("/ learning rate is the gradient.")
    with page.expect_popup(timeout=LONG) as opened:
        page.get_by_role("link", name="Open the report").click()
    expect(opened.value.locator("h1")).to_contain_text("Two moons", timeout=LONG)
    opened.value.close()
    assert (seen.errors, seen.requests) == ([], [])


def test_a_study_stops_and_goes_on_where_it_was(experiments):
    page, _ = experiments("?replicates=40&epochs=150")
    press(page, "Train / go on")
    expect(page.locator(".ut-state")).to_contain_text("moons: 10 arms x 40", timeout=LONG)
    bar = page.get_by_role("progressbar", name="sigmoid trained", exact=True)
    expect(bar).not_to_have_attribute("value", "0.000", timeout=LONG)
    press(page, "Stop")
    expect(page.locator(".ut-state")).to_contain_text("Stopped: what is done is kept", timeout=LONG)
    expect(page.get_by_role("cell", name="running")).to_have_count(0)
    page.reload()
    expect(page.locator(".ut-study")).to_be_visible(timeout=LONG)
    press(page, "Train / go on")
    expect(page.locator(".ut-state")).to_contain_text("Training.", timeout=LONG)
    press(page, "Stop")
    expect(page.locator(".ut-state")).to_contain_text("Stopped", timeout=LONG)


def test_another_study_is_chosen_and_stays_in_the_address(experiments):
    page, seen = experiments()
    page.get_by_label("experiment").select_option("circles")
    expect(page.locator(".ut-typed")).to_contain_text("run circles", timeout=LONG)
    usual = study.usual_replicates(experiment("circles"))
    expect(number(page, "networks")).to_have_value(str(usual))
    number(page, "networks").fill("3")
    number(page, "networks").press("Tab")
    page.wait_for_url(re.compile("replicates=3"))
    assert parse_qs(urlsplit(page.url).query) == {"study": ["circles"], "replicates": ["3"]}
    assert seen.errors == []


def test_an_arm_leads_to_its_run(experiments, trained):
    page, seen = experiments(trained)
    expect(page.get_by_role("cell", name="finished")).to_have_count(10, timeout=LONG)
    page.get_by_role("link", name="tanh", exact=True).click()
    expect(page.locator(".ut-state")).to_contain_text("tanh (moons-tanh-", timeout=LONG)
    assert seen.errors == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("?study=mons", "unknown experiment 'mons': did you mean 'moons'?"),
        ("?replicates=many", "replicates=many in the address: a whole number"),
    ],
)
def test_a_wrong_address_is_one_line(experiments, words, said):
    page, seen = experiments(words)
    expect(page.locator(".ut-problem")).to_contain_text(said)
    expect(page.locator(".ut-study")).to_be_visible(timeout=LONG)
    assert seen.errors == []


def test_a_store_that_is_none_is_one_line(experiments, store):
    store.write_bytes(b"not a store at all" * 20)
    page, seen = experiments()
    expect(page.locator(".ut-problem")).to_contain_text("is not a store of Undertow's")
    assert seen.errors == []


def test_axe_finds_nothing_serious_and_it_fits_a_phone(experiments, trained):
    page, _ = experiments(trained, 400)
    expect(page.get_by_role("cell", name="finished")).to_have_count(10, timeout=LONG)
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
