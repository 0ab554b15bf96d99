"""The report as a reader opens it: a file, no network, wide and narrow, and on paper."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from tests.browser.looking import Seen, serious
from undertow.show.report import page as report
from undertow.trace.record import Chunk, Event, Header, Layer, Trace, build

UNDERTOW = Path(sysconfig.get_path("scripts")) / "undertow"
pytestmark = pytest.mark.xdist_group("report")  # one process: its reports take long to make

LARGEST = 6_000_000  # bytes
HOSTILE = "</script><script>window.ran = 1</script><img src=x onerror='window.ran = 1'>"
HOSTILE += "long" * 40
LETTER = {"width": 1280, "height": 900}
PHONE = {"width": 400, "height": 800}


class Opened(NamedTuple):
    """A page, what it asked for, and what it complained of."""

    page: Page
    requests: list[str]
    complaints: list[str]


@pytest.fixture(scope="module")
def moons(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the whole experiment, as the command writes it."""
    folder = tmp_path_factory.mktemp("moons")
    subprocess.run(
        [UNDERTOW, "run", "moons", "--report", "moons.html"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder / "moons.html"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report in which whatever a run names would be a script."""
    name = HOSTILE
    root = {
        "code": "UT101",
        "title": "vanishing gradient",
        "layers": [name],
        "evidence": name,
        "remedies": [name],
        "advice": [name],
    }
    found = {"code": "UT101", "title": "vanishing gradient", "share": 1.0}
    sick = {"outcome": "sick", "reason": "", "root_cause": root, "findings": [found]}
    return report.write(
        tmp_path_factory.mktemp("hostile") / "hostile.html",
        {"arms": [], "runs": {name: name}, "store": name},
        {name: named(name)},
        title=name,
        command=name,
        words=name,
        insight=report.Insight({name: sick}, {}),
    )


def named(name: str) -> Trace:
    """Make a small watched trace, with a name for everything that has one."""
    shape = (1, 6, 3)
    norms = 10.0 ** np.random.default_rng(0).uniform(-4, 0, shape)
    layers = tuple(Layer(f"{place}{name}", place, name, "tanh", 2, 2) for place in (1, 2, 3))
    known = {"source": "watched", "created": name, "versions": {"undertow": name, name: name}}
    arrays = {"grad_norm": norms, "delta_norm": norms, "loss": norms[..., 0]}
    return build(
        Header(layers, (0,), known | {"optimizers": name, "sampling": name, "data": name}),
        [Chunk(np.arange(1, 7), np.ones(6, int), arrays)],
        [Event("clipped", 2, name, 0, name)],
    )


@pytest.fixture
def open_file(browser: Browser) -> Iterator[Callable[..., Opened]]:
    """Open a file without a network, and wait until its figures are drawn."""
    contexts = []

    def open_(path: Path, viewport: dict[str, int]) -> Opened:
        context = browser.new_context(viewport=viewport, offline=True)  # pyright: ignore
        contexts.append(context)
        page = context.new_page()
        seen, requests = Seen(page, ()), []
        page.on("request", lambda asked: requests.append(asked.url))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-drawn]", state="attached")
        return Opened(page, requests, seen.errors)

    yield open_
    for context in contexts:
        context.close()


def beyond(requests: list[str], path: Path) -> list[str]:
    """Return what was asked for besides the file itself."""
    return [url for url in requests if url != path.as_uri()]


def test_the_report_of_moons_is_small_enough(moons: Path):
    assert 1_000_000 < moons.stat().st_size < LARGEST


@pytest.mark.parametrize("viewport", [LETTER, PHONE], ids=["wide", "narrow"])
def test_it_opens_offline_and_draws_every_figure(
    moons: Path, open_file: Callable[..., Opened], viewport: dict[str, int]
):
    page, requests, complaints = open_file(moons, viewport)
    assert requests == [moons.as_uri()]
    assert complaints == []
    figures = page.locator("figure")
    assert figures.count() == 16
    for place in range(figures.count()):
        chart = figures.nth(place).get_by_role("img")
        assert chart.count() == 1
        # As assistive technology is told it.
        name = chart.get_attribute("aria-label")
        assert name
        assert len(name) > 40
        assert figures.nth(place).get_by_role("img", name=name, exact=True).count() == 1
        assert "\n" not in chart.aria_snapshot()  # and not the numbers of its axes
        drawn = chart.locator("svg").first.bounding_box()
        assert drawn
        assert drawn["width"] > 100
        assert drawn["height"] > 100
        assert chart.locator("svg path").count() > 5


@pytest.mark.parametrize("viewport", [LETTER, PHONE], ids=["wide", "narrow"])
def test_nothing_runs_beyond_the_page(
    moons: Path, hostile: Path, open_file: Callable[..., Opened], viewport: dict[str, int]
):
    for path in (moons, hostile):
        page = open_file(path, viewport).page
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= viewport["width"], path


@pytest.mark.parametrize("viewport", [LETTER, PHONE], ids=["wide", "narrow"])
def test_nobody_is_shut_out(
    moons: Path, open_file: Callable[..., Opened], viewport: dict[str, int]
):
    assert serious(open_file(moons, viewport).page) == []


def test_the_check_for_that_can_fail(hostile: Path, open_file: Callable[..., Opened]):
    page = open_file(hostile, LETTER).page
    assert serious(page) == []
    page.evaluate("document.querySelector('.chart').removeAttribute('aria-label')")
    assert [each.split(" <")[0] for each in serious(page)] == ["serious role-img-alt:"]


def test_the_first_screen_holds_the_verdict_and_what_to_do(
    moons: Path, open_file: Callable[..., Opened]
):
    page = open_file(moons, LETTER).page
    brief = page.locator("dl.brief")
    assert brief.locator("dt").all_inner_texts() == [
        "What was tried",
        "What happened",
        "What to do",
    ]
    box = brief.bounding_box()
    assert box
    assert box["y"] + box["height"] < LETTER["height"]
    headline = page.locator(".headline").inner_text()
    assert re.match(r"\d+ of 10 arms are sick: vanishing gradient in sigmoid", headline)


def test_the_keyboard_reaches_the_verdict_at_once_and_shows_where_it_is(
    moons: Path, open_file: Callable[..., Opened]
):
    page = open_file(moons, LETTER).page
    page.keyboard.press("Tab")
    skip = page.locator(".skip")
    assert skip.evaluate("each => each === document.activeElement")
    box = skip.bounding_box()
    assert box
    assert box["x"] >= 0
    assert skip.evaluate("each => getComputedStyle(each).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "verdict"


def test_a_hostile_name_is_text(hostile: Path, open_file: Callable[..., Opened]):
    page, requests, complaints = open_file(hostile, LETTER)
    assert page.evaluate("window.ran") is None
    assert page.locator("img").count() == 0
    assert beyond(requests, hostile) == []
    assert complaints == []
    assert page.locator("h1").inner_text() == HOSTILE
    for name in ("citation", "command"):
        assert HOSTILE in page.locator(f"#{name}").inner_text()
    assert page.locator(".chart svg").count() == page.locator("figure").count() > 0


def test_the_policy_stops_a_script_and_a_fetch_that_would_be_there(
    hostile: Path, open_file: Callable[..., Opened], tmp_path: Path
):
    written = hostile.read_text()
    intruder = (
        "<script>window.ran = 1</script><img src='http://undertow.invalid/x.png'>"
        "<audio src='http://undertow.invalid/x.mp3' preload='auto'></audio>"
    )
    (tmp_path / "broken.html").write_text(written.replace("</main>", f"{intruder}</main>"))
    page, _, complaints = open_file(tmp_path / "broken.html", LETTER)
    assert page.evaluate("window.ran") is None
    assert sum("Content Security Policy" in each for each in complaints) == 3
    # Without the policy both happen: it is what stops them.
    bare = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", written)
    (tmp_path / "bare.html").write_text(bare.replace("</main>", f"{intruder}</main>"))
    page, requests, _ = open_file(tmp_path / "bare.html", LETTER)
    assert page.evaluate("window.ran") == 1
    asked = beyond(requests, tmp_path / "bare.html")
    assert sorted(asked) == [f"http://undertow.invalid/x.{kind}" for kind in ("mp3", "png")]


def test_the_copy_button_takes_the_whole_command(moons: Path, open_file: Callable[..., Opened]):
    page = open_file(moons, LETTER).page
    page.get_by_role("button", name="Copy the command", exact=True).click()
    assert page.evaluate("getSelection().toString()") == "undertow run moons --report moons.html"
    assert page.get_by_role("status").nth(1).inner_text().strip() in ("copied", "selected")


@pytest.mark.parametrize("which", ["moons", "hostile"])
def test_on_paper_nothing_is_hidden_cut_off_or_torn(
    which: str, request: pytest.FixtureRequest, open_file: Callable[..., Opened]
):
    page = open_file(request.getfixturevalue(which), LETTER).page
    paper = 690  # px between the margins of A4
    page.emulate_media(media="print")
    page.add_style_tag(content=f"body {{ width: {paper}px }}")
    left = page.evaluate("document.body.getBoundingClientRect().left")
    for name in ("figure", "tr", ".card", *[".claim"] * (which == "moons")):
        assert page.locator(name).first.evaluate("each => getComputedStyle(each).breakInside") == (
            "avoid"
        ), name
    rights = page.evaluate(
        "Array.from(document.querySelectorAll('main *:not(svg *)'), each => "
        "[each.getBoundingClientRect().right, each.tagName, each.className])"
    )
    assert [each for each in rights if each[0] > left + paper + 1] == []
    # A closed row of layers is open on paper.
    inside = page.locator("details table").first
    assert inside.evaluate("each => each.checkVisibility({ contentVisibilityAuto: true })")
    hidden = page.evaluate(
        "Array.from(document.querySelectorAll('body *:not(script):not(svg *)'))"
        ".filter(each => getComputedStyle(each).display === 'none')"
        ".map(each => each.className || each.tagName)"
    )
    assert set(hidden) == {"skip", "copy"}
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert len(page.pdf(format="A4")) > 100_000
