"""Every page, in both themes and at every width: accessible, quiet, light, steady, and deaf to hostile text.

``python -m benchmarks screenshots`` makes pictures of the same pages.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenWindow, Watch
from tests.browser.furniture import furnish
from tests.browser.visits import WATCH_LAYOUT, Visit, visit_all
from tests.up.stage import Up

FIRST_VISIT = 100 * 1024
REQUESTS = 8
SHIFT = 0.05
"""Budgets of a first visit: bytes on the wire without payloads, requests, cumulative layout shift."""


@dataclass(frozen=True)
class Round:
    """All pages, each visited once, and what a :class:`Watch` over them heard."""

    visits: list[Visit]
    complaints: list[str]


@pytest.fixture(scope="module")
def furnished(open_window: OpenWindow, product: Up) -> list[str]:
    with open_window().page() as page:
        return furnish(page)


@pytest.fixture(scope="module")
def a_round(furnished: list[str], open_window: OpenWindow, product: Up) -> Round:
    watch = Watch(product.url)
    with open_window().page() as page:
        return Round(visit_all(watch.over(page), furnished), watch.complaints)


def test_no_page_complains_or_asks_strangers(a_round: Round) -> None:
    assert a_round.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(a_round: Round, theme: str) -> None:
    found = [(one.path, one.in_dark if theme == "dark" else one.in_light) for one in a_round.visits]

    assert [(path, violations) for path, violations in found if violations] == []


def test_every_page_follows_the_theme_of_the_system(a_round: Round) -> None:
    [(light, dark)] = {one.papers for one in a_round.visits}

    assert light != dark


def test_nothing_scrolls_sideways(a_round: Round) -> None:
    found = [(one.path, width, by) for one in a_round.visits for width, by in one.sideways.items()]

    assert [one for one in found if one[2] > 0] == []


def test_four_times_larger_and_wider_text_still_fits(a_round: Round) -> None:
    assert [(one.path, one.sideways_when_wider) for one in a_round.visits if one.sideways_when_wider > 0] == []


def test_a_first_visit_is_light_and_nothing_jumps(a_round: Round) -> None:
    found = [(one.path, sum(one.sizes), len(one.sizes), one.shift) for one in a_round.visits]

    assert all(one.sizes for one in a_round.visits), "what pages load was not seen"
    assert [one for one in found if one[1] > FIRST_VISIT or one[2] > REQUESTS or one[3] >= SHIFT] == []


def test_hostile_text_stays_text(a_round: Round) -> None:
    for one in a_round.visits:
        assert not one.sprung, one.path
        assert one.alive == 0, one.path
        assert "\u202e" not in one.text, one.path

    assert sum("⟨U+202E⟩" in one.text for one in a_round.visits) > 15, "the pages did not show what they hold"


def test_a_persons_own_theme_is_the_one_of_the_system(furnished: list[str], page: Page) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    page.goto("/o/acme/hooks")
    page.emulate_media(color_scheme="dark")
    of_the_system = page.evaluate(paper)
    page.emulate_media(color_scheme="light")
    assert page.evaluate(paper) != of_the_system

    page.locator("details.menu", has_text="Theme").locator("summary").click()
    page.get_by_role("button", name="Dark", exact=True).click()

    assert page.evaluate(paper) == of_the_system
    page.reload()
    assert page.evaluate(paper) == of_the_system


def test_swaps_move_nothing_that_stays(furnished: list[str], page: Page) -> None:
    page.add_init_script(WATCH_LAYOUT)

    page.goto("/o/acme/deliveries")
    page.get_by_role("link", name="Delivered", exact=True).first.click()
    page.wait_for_url("**state=delivered*")
    assert page.evaluate("window.shift") < SHIFT
    page.goto("/o/acme/hooks")
    switch = page.get_by_role("switch").first
    switch.click()
    expect(page.get_by_role("switch").first).to_have_attribute("aria-checked", "false")
    assert page.evaluate("window.shift") < SHIFT
    page.get_by_role("switch").first.click()
    expect(page.get_by_role("switch").first).to_have_attribute("aria-checked", "true")
    assert page.evaluate("window.shift") < SHIFT
