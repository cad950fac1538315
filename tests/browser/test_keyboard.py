"""The keyboard keeps its place when a page updates itself, and screen readers hear how things go on."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from console.services.bins import bins
from console.services.organizations import organizations
from tests.browser.acme import Acme
from tests.browser.conftest import WIDE
from tests.up.stage import Up

HEARD = """() => {
  window.heard = [];
  new MutationObserver(() => window.heard.push(document.getElementById("announcer").textContent))
    .observe(document.getElementById("announcer"), {childList: true, characterData: true, subtree: true});
}"""
FOCUSED = "document.activeElement.id || document.activeElement.tagName"
TOO_NARROW = """() => [...document.querySelectorAll("[type=datetime-local]")].filter((field) => {
  const given = field.clientWidth;
  field.style.flex = "none";
  field.style.width = "max-content";
  const needed = field.clientWidth;
  field.style.width = field.style.flex = "";
  return given < needed;
}).length"""


def press(page: Page, name: str) -> None:
    """Press the button with that name by the keyboard."""
    button = page.get_by_role("button", name=name, exact=True)
    button.focus()
    page.keyboard.press("Enter")


def test_the_first_steps_keep_the_focus_while_they_update_themselves(page: Page, product: Up) -> None:
    with product.work() as work:
        organizations.create(work, slug="keys")
    page.goto("/o/keys/start")
    page.evaluate(HEARD)

    press(page, "Create a bin")
    press(page, "Create a hook")
    press(page, "Send a test")

    expect(page.locator("#steps").get_by_text("The bin caught it")).to_be_visible(timeout=20_000)
    assert page.evaluate(FOCUSED) == "steps"
    assert re.match(r"Delivered 200 in .* Signature valid The bin caught it", page.evaluate("heard.at(-1)"))


def test_the_outcome_of_a_test_is_announced_without_its_details(page: Page, acme: Acme) -> None:
    page.goto(acme.hook_to_a_bin("Announced"))
    page.evaluate(HEARD)

    press(page, "Send test")

    expect(page.locator("#test-result").get_by_text("Delivered", exact=True)).to_be_visible(timeout=20_000)
    assert page.evaluate(FOCUSED) == "send-test"
    assert re.fullmatch(r"Delivered 200 in [\d.]+ m?s", page.evaluate("heard.at(-1)"))


def test_what_stands_on_a_page_from_the_beginning_is_not_announced_again(page: Page, acme: Acme) -> None:
    hook = acme.hook_to_a_bin("Silent")
    page.goto(hook)
    page.evaluate(HEARD)

    page.get_by_role("switch").focus()
    page.keyboard.press("Space")

    expect(page.locator("#toasts")).to_contain_text("Silent is off")
    assert page.evaluate("heard") == []


def test_canceling_is_asked_by_a_dialog_that_gives_the_focus_back(page: Page, acme: Acme) -> None:
    with acme.product.work() as work:
        caught_in = bins.create(work, organization=organizations.get(work, slug="acme"), name="Broken")
        bins.change(work, changed=caught_in, answer_status=500)
    hook = acme.product.post(
        "/hooks", {"name": "Broken", "url": f"{acme.product.url}/in/{caught_in.key}", "all_events": True}
    )
    acme.product.post("/events", {"type": "order.broken", "payload": {}})
    page.goto(f"/o/acme/hooks/{hook['id']}/deliveries")
    page.locator("main .title-link").click()
    opener = page.get_by_role("link", name="Cancel delivery")

    opener.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Cancel this delivery?")).to_be_visible()
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Cancel delivery").focus()
    page.keyboard.press("Enter")

    expect(page.get_by_text("Canceled: it is not sent any more.")).to_be_visible()


@pytest.mark.parametrize("width", [320, 390, 1024, 1440])
def test_dates_of_filters_show_their_time(page: Page, acme: Acme, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for path in ("deliveries", "events", "settings/audit"):
        page.goto(f"/o/acme/{path}?from=2026-12-30T10:30&until=2026-12-30T23:59")
        fields = page.locator("details:has([type=datetime-local])").first
        if fields.count():
            fields.evaluate("element => { element.open = true; }")
        expect(page.locator("[type=datetime-local]").first).to_be_visible()

        assert page.evaluate(TOO_NARROW) == 0, path
    page.set_viewport_size(WIDE)
