"""The playground, as a person uses it."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.looking import Seen, Served, serious
from undertow.app.pages.playground import controls, url
from undertow.experiments.presets import PRESETS, preset

LONG = 60_000  # ms, for what trains

Open = Callable[..., tuple[Page, Seen]]


@pytest.fixture
def playground(served: Served, open_page: Open) -> Callable[..., tuple[Page, Seen]]:
    """Open the playground at an address and wait for its first picture."""

    def open_(words: str = "", width: int = 1280) -> tuple[Page, Seen]:
        page, seen = open_page(f"{served.address}playground/{words}", width)
        expect(page.locator(".ut-scene")).to_be_visible(timeout=LONG)
        return page, seen

    return open_


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def trained(page: Page) -> None:
    """Wait until a training is over: the seeds are counted, and no epoch is announced."""
    expect(page.locator(".ut-dots").first).to_be_visible(timeout=LONG)
    expect(page.locator(".ut-state")).to_have_count(0, timeout=LONG)


def test_it_shows_a_prediction_and_one_pass_before_any_training(playground):
    page, seen = playground()
    expect(page.locator(".ut-verdict")).to_have_text(re.compile(r"Vanishing gradient\s*UT101"))
    expect(page.locator(".ut-message").first).to_have_text(
        re.compile(r"At step 1 layer 1 gets 1/[\d,]+ of the delta of layer 10")
    )
    drawn = page.get_by_role("region", name="Measured").locator("[role=graphics-document]")
    expect(drawn.first).to_have_attribute(
        "aria-label", re.compile("by layer, the input at the bottom")
    )
    assert (seen.errors, seen.requests) == ([], [])


def test_training_shows_vanishing_and_the_first_remedy_cures_it(playground):
    page, seen = playground()
    button(page, "Train / pause").click()
    trained(page)
    expect(page.locator(".ut-dots")).to_have_text(re.compile("8 of 8 seeds stuck"))
    expect(page.locator(".ut-verdict")).to_have_text(re.compile("Vanishing gradient"))
    page.locator("marimo-button").filter(has_text="Apply").first.get_by_role("button").click()
    expect(page.locator(".ut-difference")).to_have_text(
        re.compile(r"batch-norm: 8 of 8 stuck → 0 of 8 stuck"), timeout=LONG
    )
    expect(page.locator(".ut-state")).to_have_count(0, timeout=LONG)
    expect(page.locator(".ut-verdict").last).to_have_text(re.compile("batch-norm: Healthy"))
    assert (seen.errors, seen.requests) == ([], [])


def test_a_slider_that_moves_cancels_the_training(playground):
    page, _ = playground("?epochs=500&depth=30&width=32&seeds=0-31")
    button(page, "Train / pause").click()
    expect(page.locator(".ut-state")).to_have_text(re.compile("training, epoch"), timeout=LONG)
    page.get_by_role("slider").first.press("ArrowLeft")
    expect(page.locator(".ut-message").first).to_have_text(re.compile("of layer 29"), timeout=LONG)
    expect(page.locator(".ut-state")).to_have_count(0)
    expect(page.locator(".ut-dots")).to_have_count(0)
    assert parse_qs(urlsplit(page.url).query)["depth"] == ["29"]


def test_with_a_tick_a_slider_that_moves_trains_at_once(playground):
    page, seen = playground("?seeds=0-31&epochs=60")
    page.get_by_label("train as a slider moves").click()
    for depth in (9, 8):
        page.get_by_role("slider").first.press("ArrowLeft")
        expect(page.locator(".ut-dots")).to_contain_text("of 32 seeds stuck", timeout=LONG)
        page.wait_for_url(re.compile(f"depth={depth}"))
        expect(page.locator(".ut-state")).to_have_count(0, timeout=LONG)
    page.get_by_label("train as a slider moves").click()
    page.get_by_role("slider").first.press("ArrowLeft")
    expect(page.locator(".ut-dots")).to_have_count(0, timeout=LONG)
    assert seen.errors == []


def test_the_learning_rate_and_the_epochs_restart_nothing(playground):
    page, _ = playground("?epochs=500&depth=30&width=32&seeds=0-31")
    button(page, "Train / pause").click()
    expect(page.locator(".ut-state")).to_have_text(re.compile("training, epoch"), timeout=LONG)
    page.get_by_label("learning rate").select_option("0.01")
    page.get_by_role("slider").nth(3).press("ArrowLeft")
    page.wait_for_url(re.compile("lr=0.01"))
    page.wait_for_url(re.compile("epochs=490"))
    expect(page.locator(".ut-state")).to_have_text(re.compile("of 500"))
    button(page, "Train / pause").click()  # pauses
    expect(page.locator(".ut-state")).to_have_text(re.compile("paused after epoch"), timeout=LONG)


def test_another_view_disturbs_no_training(playground):
    page, _ = playground("?epochs=500&depth=20&width=32&seeds=0-31")
    button(page, "Train / pause").click()
    expect(page.locator(".ut-state")).to_have_text(re.compile("training, epoch"), timeout=LONG)
    page.get_by_label("absolute").click()
    page.get_by_label("weight gradient").click()
    expect(page.locator(".ut-message").first).to_have_text(re.compile("weight gradient"))
    expect(page.locator(".ut-state")).to_have_text(re.compile("training, epoch"))


def test_stepping_pauses_after_each_epoch(playground):
    page, _ = playground()
    button(page, "Step").click()
    expect(page.locator(".ut-state")).to_have_text(
        re.compile("paused after epoch 1 of 100"), timeout=LONG
    )
    button(page, "Step").click()
    expect(page.locator(".ut-state")).to_have_text(
        re.compile("paused after epoch 2 of 100"), timeout=LONG
    )
    button(page, "Train / pause").click()
    trained(page)


def test_reset_means_again_and_new_seeds_means_others(playground):
    page, _ = playground()
    message = page.locator(".ut-message").first
    expect(message).to_have_text(re.compile("At step 1 layer 1"))
    first = message.inner_text()
    button(page, "Train / pause").click()
    trained(page)
    button(page, "Reset").click()
    expect(page.locator(".ut-dots")).to_have_count(0, timeout=LONG)
    expect(message).to_have_text(first)
    button(page, "New seeds").click()
    page.wait_for_url(re.compile("seeds=8-15"))
    expect(page.locator(".ut-message").first).not_to_have_text(first, timeout=LONG)


def test_the_keyboard_trains_and_resets(playground):
    page, _ = playground("?epochs=5")
    page.locator("body").press("Space")
    trained(page)
    page.locator("body").press("r")
    expect(page.locator(".ut-dots")).to_have_count(0, timeout=LONG)


def test_the_keyboard_reaches_every_control(playground):
    page, _ = playground()
    expect(page.get_by_text("Apply batch-norm")).to_be_visible()
    page.get_by_text("More controls").click()
    names = """() => { let at = document.activeElement, name = '';
      while (at) {
        const labels = [...(at.labels || [])].map(each => each.textContent).join(' ');
        const by = at.getAttribute('aria-labelledby');
        const other = by && at.getRootNode().getElementById(by);
        name = labels || (other ? other.textContent : '') || at.getAttribute('aria-label')
          || at.textContent || at.value || name;
        at = at.shadowRoot && at.shadowRoot.activeElement;
      }
      return name; }"""
    wanted = {*controls.NAMES.values(), "Train / pause", "Step", "Reset", "New seeds"}
    wanted |= {"Apply batch-norm"}
    reached = set()
    for _ in range(90):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(names).strip())
    assert wanted - reached == set()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("?dept=3", "unknown word in the address 'dept': did you mean 'depth'?"),
        ("?depth=51", "depth=51 in the address: at most 50"),
        ("?act=sigmod", "unknown activation 'sigmod': did you mean 'sigmoid'?"),
        ("?lr=fast", "lr=fast in the address: a number"),
        ("?seeds=9-1", "seeds=9-1 in the address: 1 to 64 seeds"),
        ("?act=<script>alert(1)</script>", "unknown activation '<script>alert(1)</script>'"),
    ],
)
def test_a_wrong_address_is_one_line_and_preset_1(playground, words, said):
    page, seen = playground(words)
    expect(page.locator(".ut-problem")).to_contain_text(said)
    expect(page.locator(".ut-problem")).to_contain_text("Shown is preset 1.")
    assert seen.errors == []


def test_the_whole_state_is_in_the_address(playground):
    words = (
        "?data=circles&noise=0.1&depth=7&width=12&act=tanh&init=lecun_normal&gain=1.2&norm=layer"
    )
    page, _ = playground(words + "&opt=sgd&lr=0.03&epochs=20&seeds=3-6")
    page.get_by_role("slider").first.press("ArrowRight")
    page.wait_for_url(re.compile("depth=8"))
    found = {word: text for word, (text,) in parse_qs(urlsplit(page.url).query).items()}
    kept = {word: text for word, (text,) in parse_qs(words[1:]).items()} | {"depth": "8"}
    assert found.items() >= kept.items()
    assert url.read_url(found).seeds == (3, 4, 5, 6)


def test_a_table_of_the_users_own(served, open_page, tmp_path):
    page, _ = open_page(f"{served.address}playground/?data=table")
    expect(page.locator(".ut-problem")).to_contain_text("no table yet", timeout=LONG)
    table = tmp_path / "mine.csv"
    rows = [f"{place % 7},{place % 5},{'ab'[place % 2]}" for place in range(40)]
    page.get_by_text("More controls").click()
    table.write_text("\n".join(rows[:5]))
    page.locator("input[type=file]").set_input_files(table)
    expect(page.locator(".ut-problem")).to_contain_text("the table has 5 samples", timeout=LONG)
    whole = tmp_path / "whole.csv"
    whole.write_text("\n".join(["x,y,label", *rows]))
    page.locator("input[type=file]").set_input_files(whole)
    expect(page.locator(".ut-message").nth(1)).to_have_text(
        re.compile("32 samples to train on, 8 to test with"), timeout=LONG
    )


def test_axe_finds_nothing_serious_before_and_after_training(playground):
    page, _ = playground()
    assert serious(page) == []
    button(page, "Train / pause").click()
    trained(page)
    assert serious(page) == []


def test_it_fits_a_phone(playground):
    page, _ = playground("", 400)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    expect(button(page, "Train / pause")).to_be_in_viewport()
    verdict = page.locator(".ut-verdict").bounding_box()
    picture = page.locator(".ut-message").last.bounding_box()
    assert verdict
    assert picture
    assert verdict["y"] < picture["y"]


@pytest.mark.parametrize("each", PRESETS, ids=lambda each: each.name)
def test_a_preset_is_a_link_and_opens_on_its_claim(playground, each):
    page, seen = playground(url.write_url(each.trial))
    expect(page.locator(".ut-claim")).to_contain_text(each.claim)
    expect(page.locator(".ut-problem")).to_have_count(0)
    assert seen.errors == []


def test_presets_can_be_reached_from_the_home_page(served, open_page):
    page, seen = open_page(served.address)
    page.get_by_role("link", name="4. Edge of chaos").click()
    expect(page.locator(".ut-claim")).to_contain_text(preset("edge of chaos").claim, timeout=LONG)
    assert seen.errors == []
