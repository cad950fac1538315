"""Copying without a clipboard, menus near the edge, finding in a body, and reading while requests come in."""

from __future__ import annotations

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser.acme import Acme
from tests.browser.conftest import WIDE

WITHOUT_CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', {value: undefined})"
"""As on a page of plain http that is not this machine's."""
NO_COPYING = f"{WITHOUT_CLIPBOARD}; document.execCommand = () => false"
OUTSIDE = """() => [...document.querySelectorAll("details.menu")]
  .filter((menu) => menu.checkVisibility())
  .map((menu) => {
    menu.open = true;
    const { left, right, width } = menu.querySelector(".menu-list").getBoundingClientRect();
    menu.open = false;
    const isInside = width > 0 && left >= 0 && right <= document.documentElement.clientWidth;
    return [menu.querySelector("summary").ariaLabel, isInside];
  })"""


@pytest.fixture(scope="module")
def hook(acme: Acme) -> str:
    """The path of a hook that points at a bin and got a test."""
    path = acme.hook_to_a_bin("Small things")
    acme.send_test(path)
    return path


def test_copying_works_without_a_clipboard(page: Page, hook: str) -> None:
    page.add_init_script(
        f"{WITHOUT_CLIPBOARD}; addEventListener('copy', () => {{ window.copied = String(getSelection()); }})"
    )
    page.goto(hook)
    button = page.locator("main [data-copy]:visible").first

    button.click()

    expect(page.locator("#toasts")).to_contain_text("Copied")
    expect(page.locator("#copy-text")).to_be_hidden()
    assert page.evaluate("window.copied") == button.get_attribute("data-copy")


def test_what_cannot_be_copied_is_shown_selected(page: Page, hook: str) -> None:
    page.add_init_script(NO_COPYING)
    page.goto(hook)
    button = page.locator("main [data-copy]:visible").first

    button.click()

    text = page.get_by_label("Text to copy")
    expect(text).to_be_focused()
    expect(text).to_have_value(str(button.get_attribute("data-copy")))
    assert page.evaluate("getSelection().toString()") == button.get_attribute("data-copy")
    page.get_by_role("button", name="Close").click()
    expect(text).to_be_hidden()


@pytest.mark.parametrize("width", [320, 390, 430, 1440])
def test_no_menu_opens_outside_of_the_window(page: Page, hook: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for path in (hook, "/o/acme/hooks", "/o/acme/deliveries", "/o/acme/events/types", "/o/acme/bins"):
        page.goto(path)

        menus = page.evaluate(OUTSIDE)

        assert menus
        assert [label for label, is_inside in menus if not is_inside] == [], path
    page.set_viewport_size(WIDE)


TABLES_BEYOND = """() => [...document.querySelectorAll("main .panel table")].filter((table) =>
  table.getBoundingClientRect().right > table.closest(".panel").getBoundingClientRect().right + 0.5).length"""


@pytest.mark.parametrize("width", [320, 390, 1024, 1440])
def test_no_table_is_wider_than_its_card(page: Page, acme: Acme, hook: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 1000})
    acme.publish("order.with_a_long_name.that_goes_on")
    page.goto("/o/acme/events")
    event = str(page.locator("table a[href*='/events/']").first.get_attribute("href"))
    for path in (hook, event, "/o/acme/hooks", "/o/acme/deliveries", "/o/acme/"):
        page.goto(path)

        assert page.evaluate(TABLES_BEYOND) == 0, path
    page.set_viewport_size(WIDE)


def test_very_many_matches_in_a_body_are_marked_up_to_a_limit(page: Page, acme: Acme) -> None:
    event = acme.product.post("/events", {"type": "order.large", "payload": {"text": "aİ" * 30_000}})
    page.goto(f"/o/acme/events/{event['id']}")

    page.get_by_label("Find in Payload").fill("a")

    page.wait_for_function("CSS.highlights.get('found')?.size === 2000")


def test_the_request_being_read_stays_where_it_is(page: Page, acme: Acme) -> None:
    acme.send_test(acme.hook_to_a_bin("Being read"))  # its own bin: others get what other tests publish
    page.goto("/o/acme/bins")
    page.get_by_role("link", name="Being read").first.click()
    address = page.locator(".once code").inner_text()
    read = page.locator("#caught > li").last
    read.hover()
    before = read.bounding_box()

    for number in range(3):
        requests.post(address, json={"number": number}, timeout=10)
    page.get_by_role("button", name="3 new: show").wait_for()

    assert read.bounding_box() == before
    expect(page.locator("#caught > li")).to_have_count(1)
    page.get_by_role("button", name="3 new: show").click()
    expect(page.locator("#caught > li")).to_have_count(4)
    expect(page.locator("#caught > li").first).to_contain_text('"number": 2')
