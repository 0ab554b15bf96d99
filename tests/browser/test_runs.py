"""The page of runs, as a person uses it, beside another process that writes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

import undertow as ut
from tests.browser.looking import Seen, Served, serious
from tests.writing import Writing

LONG = 60_000  # ms, for what trains
PROGRAM = Path(sys.executable).with_name("undertow")

Open = Callable[..., tuple[Page, Seen]]


@pytest.fixture(scope="module")
def two_arms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two arms, sigmoid and relu, trained once as a user would."""
    made = tmp_path_factory.mktemp("trained") / "runs.db"
    command = ["run", "moons", "--arm", "sigmoid", "--arm", "relu", "--replicates", "3"]
    words = [*command, "--epochs", "20", "--store", str(made)]
    subprocess.run([PROGRAM, *words], check=True, capture_output=True)
    return made


@pytest.fixture
def trained(store: Path, two_arms: Path) -> list[str]:
    """Ids of the two arms, in the store that the pages look at."""
    shutil.copy(two_arms, store)
    with ut.open(store) as opened:
        return [run.id for run in opened.runs()]


@pytest.fixture
def writing(store: Path) -> Iterator[Writing]:
    found = Writing(store, "net")
    yield found
    found.close()


@pytest.fixture
def runs(served: Served, open_page: Open) -> Callable[..., tuple[Page, Seen]]:
    """Open the page and wait until it has something to say."""

    def open_(words: str = "", width: int = 1280) -> tuple[Page, Seen]:
        page, seen = open_page(f"{served.address}runs/{words}", width)
        expect(page.locator(".ut-state, .ut-problem").first).to_be_visible(timeout=LONG)
        return page, seen

    return open_


def box(page: Page, run: str) -> Locator:
    return page.get_by_role("row").filter(has_text=run).get_by_role("checkbox")


def test_the_newest_is_shown_and_another_is_picked(runs, trained):
    page, seen = runs()
    expect(page.locator(".ut-state")).to_contain_text("relu")
    expect(page.locator(".ut-verdict")).to_have_text(re.compile("Healthy"))
    box(page, trained[0]).click()
    expect(page.locator(".ut-state")).to_contain_text(trained[0], timeout=LONG)
    expect(page.locator(".ut-verdict")).to_have_text(re.compile(r"Vanishing gradient\s*UT101"))
    expect(page.locator(".ut-scene")).to_contain_text("what theory expects")
    assert parse_qs(urlsplit(page.url).query)["run"] == [trained[0]]
    assert (seen.errors, seen.requests) == ([], [])


def test_two_runs_stand_side_by_side(runs, trained):
    page, seen = runs(f"?run={trained[0]}&against={trained[1]}")
    expect(page.locator(".ut-difference")).to_have_text(
        re.compile(r"sigmoid → relu: 3 of 3 stuck → \d of 3 stuck; -\d\.\d dex → [-+]\d\.\d dex")
    )
    expect(page.locator(".ut-verdict")).to_have_count(2)
    differing = page.get_by_role("region", name="What differs in how they were made")
    expect(differing).to_contain_text("network.activation")
    expect(differing).not_to_contain_text("network.depth")
    with page.expect_popup(timeout=LONG) as opened:
        page.get_by_role("link", name="Open the report").click()
    expect(opened.value.locator("h1")).to_contain_text("Two moons", timeout=LONG)
    opened.value.close()
    box(page, trained[1]).click()  # leaves the first alone
    expect(page.locator(".ut-verdict")).to_have_count(1, timeout=LONG)
    assert "against" not in page.url
    assert (seen.errors, seen.requests) == ([], [])


def test_a_run_that_another_process_writes_is_followed_to_its_end(runs, writing):
    page, seen = runs()
    expect(page.locator(".ut-state")).to_have_text(re.compile("live net: running"))
    expect(page.locator(".ut-note")).to_contain_text("No step recorded yet")
    for step in (1, 2, 3):
        writing.tell(step)
        expect(page.locator(".ut-state")).to_contain_text(f"step {step},", timeout=LONG)
    writing.tell("end")
    expect(page.locator(".ut-state")).to_contain_text("net: finished, step 3", timeout=LONG)
    expect(page.locator(".ut-live")).to_have_count(0)
    expect(page.get_by_role("region", name="Spikes and events")).to_contain_text("factor 0.25")
    assert seen.errors == []


def test_a_run_that_begins_under_an_open_page_is_followed(runs, trained, store):
    page, _ = runs()
    expect(page.get_by_role("row")).to_have_count(3)
    writing = Writing(store, "late")
    try:
        expect(page.locator(".ut-state")).to_contain_text("late: running", timeout=LONG)
        expect(page.get_by_role("row")).to_have_count(4)
    finally:
        writing.close()
    # Its writer was killed: nobody will finish it.
    expect(page.locator(".ut-state")).to_contain_text("late: interrupted", timeout=LONG)


def test_a_half_written_run_is_shown_as_far_as_it_is(runs, writing):
    for step in (1, 2):
        writing.tell(step)
    writing.close()
    page, seen = runs()
    expect(page.locator(".ut-state")).to_contain_text("net: interrupted, step 2")
    assert seen.errors == []


def test_a_store_that_goes_under_an_open_page_is_one_line_and_comes_back(runs, trained, store):
    page, seen = runs()
    away = store.with_suffix(".away")
    store.rename(away)
    expect(page.locator(".ut-problem")).to_have_text(
        re.compile("no store at .*: name one with --store, or make one"), timeout=LONG
    )
    expect(page.get_by_role("row")).to_have_count(0)
    away.rename(store)
    expect(page.locator(".ut-verdict")).to_be_visible(timeout=LONG)
    expect(page.get_by_role("row")).to_have_count(3)
    assert seen.errors == []


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no store at"), (b"not a store at all" * 20, "is not a store of Undertow's")],
)
def test_no_store_and_a_foreign_file_are_one_line(runs, store, content, said):
    if content:
        store.write_bytes(content)
    page, seen = runs()
    expect(page.locator(".ut-problem")).to_contain_text(said)
    assert seen.errors == []


def test_a_run_that_is_not_there_is_one_line(runs, trained):
    page, _ = runs("?run=nothing")
    expect(page.locator(".ut-problem")).to_contain_text("run 'nothing' is not in the store")
    box(page, trained[0]).click()
    expect(page.locator(".ut-verdict")).to_be_visible(timeout=LONG)


def test_names_are_text(runs, writing, store):
    writing.tell(1)
    hostile = Writing(store, "<script>alert(1)</script>")
    try:
        hostile.tell(1)
        page, seen = runs()
        expect(page.locator(".ut-state")).to_contain_text("<script>alert(1)</script>: running")
        assert seen.errors == []
    finally:
        hostile.close()


def tab_to(page: Page, role: str, value: str = "") -> None:
    """Press Tab until a control of this role has the focus."""
    for _ in range(90):
        page.keyboard.press("Tab")
        found = page.evaluate(FOCUSED)
        if found["role"] == role and value in ("", found["value"]):
            return
    pytest.fail(f"no {role} {value} can be reached")


FOCUSED = """() => { let at = document.activeElement;
  while (at.shadowRoot && at.shadowRoot.activeElement) at = at.shadowRoot.activeElement;
  const inside = at.closest('tbody') ? ' of a row' : '';
  return {role: at.getAttribute('role') + inside, value: at.getAttribute('value')}; }"""


def test_the_keyboard_picks_a_run_and_a_view(runs, trained):
    page, _ = runs()
    tab_to(page, "checkbox of a row")
    page.keyboard.press("Space")
    page.wait_for_url(re.compile("run=moons"))
    tab_to(page, "radio", "absolute")
    page.keyboard.press("Space")
    expect(page.locator(".ut-scene")).not_to_contain_text("0 dex is what", timeout=LONG)


def test_axe_finds_nothing_serious(runs, trained):
    page, _ = runs(f"?run={trained[0]}&against={trained[1]}")
    expect(page.locator(".ut-difference")).to_be_visible()
    assert serious(page) == []


def test_it_fits_a_phone(runs, trained):
    page, _ = runs("", 400)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
