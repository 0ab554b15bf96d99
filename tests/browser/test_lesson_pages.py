"""The six lessons, as a learner goes through them: guess, look, move, answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from support import checks
from support import sealed_models as sealed
from tests.browser.looking import Seen, Served, serious
from undertow.app.server.lessons import TITLES

LONG = 60_000  # ms, for what trains

Open = Callable[..., tuple[Page, Seen]]

# What is answered, field by field, in the order of the page: wrongly, then rightly. Numbers by
# their words are worked out by the checks; those written out are the literature's formulas.
NUMBERS: dict[int, tuple[list[float], list[float]]] = {
    1: ([6.02], [checks.CEILING]),
    2: ([0.94], [checks.tanh_dex(50) - checks.tanh_dex(100)]),
    3: ([1.0], [checks.edge_of_chaos()]),
    4: ([7.0], [0.0]),
    5: ([13, 37], [37, 13]),
}
MENUS: dict[int, tuple[list[str], list[str]]] = {
    1: (["saturation", "saturation"], ["ceiling", "ceiling"]),
    3: (["tanh"], ["softplus"]),
}


@pytest.fixture
def lesson(served: Served, open_page: Open) -> Callable[..., tuple[Page, Seen]]:
    """Open a lesson and wait until it asks for a guess."""

    def open_(number: int, width: int = 1280) -> tuple[Page, Seen]:
        page, seen = open_page(f"{served.address}lessons/{number}/", width)
        expect(page.locator(".ut-note").first).to_contain_text("Guess first", timeout=LONG)
        return page, seen

    return open_


def reveal(page: Page) -> Locator:
    """Guess, and wait for the figure."""
    fill(page.locator("marimo-form").first.locator("input").first, 1.0)
    press(page, "That is my guess")
    drawn = page.locator(".ut-lesson-figure [role=graphics-document]")
    expect(drawn.first).to_be_visible(timeout=LONG)
    return drawn.first


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def fill(field: Locator, value: float) -> None:
    field.fill(f"{value:.6g}")
    field.press("Tab")


def answer(page: Page, number: int, right: bool) -> None:
    """Fill in the exercise and send it."""
    form = page.locator("marimo-form").last
    for field, value in zip(
        form.locator("marimo-number input").all(),
        NUMBERS.get(number, ([], []))[right],
        strict=False,
    ):
        fill(field, value)
    for menu, words in zip(form.locator("select").all(), menus(number, right), strict=True):
        menu.select_option(words)
    if number == 4:
        # A wrong one goes in first, and out again.
        for name in {"adam", *(checks.single_changes() if right else ())}:
            form.get_by_text(name, exact=True).click()
    press(page, "Check")


def menus(number: int, right: bool) -> list[str]:
    if number != 6:
        return MENUS.get(number, ([], []))[right]
    found: dict[str, Any] = sealed.diagnosed(checks.EVERY_LAYER)
    words = []
    for name in checks.DIGESTS:
        code = found[f"{name}_cause"] if right else "UT109"
        words += [found[f"{name}_layer"], f"{code} {checks.CODES[code]}"]
    return words


@pytest.mark.parametrize("number", TITLES)
def test_a_learner_with_a_phone_guesses_moves_a_slider_and_answers(lesson, number):
    page, seen = lesson(number, 400)
    expect(page.locator("h1")).to_have_text(f"{number}. {TITLES[number]}")
    drawn = reveal(page)
    said = drawn.get_attribute("aria-label")
    slider = page.get_by_role("slider").first
    slider.focus()
    slider.press("ArrowRight")
    expect(drawn).not_to_have_attribute("aria-label", said or "", timeout=LONG)
    answer(page, number, right=False)
    expect(page.locator(".ut-problem").first).to_be_visible(timeout=LONG)
    answer(page, number, right=True)
    expect(page.locator(".ut-problem")).to_have_count(0, timeout=LONG)
    expect(page.locator(".ut-note").last).to_have_text(re.compile("right", re.I), timeout=LONG)
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert (seen.errors, seen.requests) == ([], [])


def test_the_keyboard_guesses_and_answers(lesson):
    page, _ = lesson(1)
    focus(page, "input")
    page.keyboard.type("3")
    focus(page, "That is my guess")
    page.keyboard.press("Enter")
    expect(page.locator(".ut-lesson-figure").first).to_be_visible(timeout=LONG)
    focus(page, "slider")
    focus(page, "Check")
    page.keyboard.press("Enter")
    expect(page.locator(".ut-problem").first).to_contain_text("Choose a term", timeout=LONG)


def focus(page: Page, what: str) -> None:
    """Press Tab until an element of this tag, role or name has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if what in page.evaluate(FOCUSED):
            return
    pytest.fail(f"{what} cannot be reached")


FOCUSED = """() => { let at = document.activeElement;
  while (at.shadowRoot && at.shadowRoot.activeElement) at = at.shadowRoot.activeElement;
  return [at.localName, at.getAttribute('role'), (at.textContent || '').trim()]; }"""


def test_each_lesson_links_to_the_playground(lesson):
    page, _ = lesson(1)
    page.get_by_role("link", name="Silence").first.click()
    expect(page.locator(".ut-scene")).to_be_visible(timeout=LONG)
    expect(page.locator(".ut-problem")).to_have_count(0)
