"""The log in a browser: rows that arrive while somebody reads, and everything by keyboard alone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acme import Acme

LOG = "/o/acme/deliveries"


@pytest.fixture(scope="module")
def hook(acme: Acme) -> str:
    """A hook to a bin, and two deliveries in its log; give the path of the hook's page."""
    hook = acme.hook_to_a_bin("Followed")
    acme.send_test(hook)
    acme.send_test(hook)
    return hook


def send_test(page: Page, hook: str) -> None:
    page.goto(hook)
    page.get_by_role("button", name="Send test").click()
    expect(page.locator("#test-result").get_by_text("Delivered", exact=True)).to_be_visible(timeout=20_000)


def rows(page: Page) -> int:
    return page.locator("#log form tbody tr[id]").count()


def test_the_hooks_page_follows_its_test(page: Page, hook: str) -> None:
    page.goto(hook)
    shown = page.locator("#recent tbody tr").count()

    page.get_by_role("button", name="Send test").click()

    expect(page.locator("#recent tbody tr")).to_have_count(shown + 1, timeout=20_000)
    expect(page.locator("#recent tbody tr").first.get_by_text("Delivered")).to_be_visible(timeout=20_000)


def test_rows_wait_while_somebody_reads_and_flow_otherwise(page: Page, hook: str) -> None:
    page.goto(f"{LOG}?tail=1")
    other = page.context.new_page()
    before = rows(page)

    send_test(other, hook)
    expect(page.locator("#log form tbody tr[id]")).to_have_count(before + 1, timeout=20_000)
    page.locator("#log form tbody .tick input").first.check()
    send_test(other, hook)
    waiting = page.get_by_role("button", name="1 new: show")
    expect(waiting).to_be_visible(timeout=20_000)
    assert rows(page) == before + 1

    waiting.click()
    expect(page.locator("#log form tbody tr[id]")).to_have_count(before + 2)
    expect(page.locator("#log form tbody .tick input:checked")).to_have_count(1)
    expect(page.get_by_role("button", name="Resend 1")).to_be_visible()


def test_without_live_new_rows_are_offered_and_states_follow(page: Page, hook: str) -> None:
    page.goto(LOG)
    before = rows(page)

    send_test(page.context.new_page(), hook)

    expect(page.get_by_role("button", name="1 new: show")).to_be_visible(timeout=20_000)
    assert rows(page) == before


def test_the_log_is_worked_by_keyboard_alone(page: Page, hook: str) -> None:
    page.goto("/o/acme/")
    keys = page.keyboard

    keys.type("gl")
    page.wait_for_url(f"**{LOG}")
    keys.press("t")
    expect(page.get_by_role("switch", name="Live")).to_be_checked()
    expect(page).to_have_url(re.compile("tail=1"))
    page.evaluate("document.activeElement.blur()")
    keys.press("j")
    keys.press("j")
    keys.press("k")
    keys.press("x")
    expect(page.locator("#log form tbody .tick input").first).to_be_checked()
    expect(page.get_by_role("button", name="Resend 1")).to_be_visible()
    keys.press("Enter")
    page.wait_for_url(re.compile(r"/deliveries/[0-9a-f-]{36}"))
    newest = page.url
    keys.press("]")
    page.wait_for_url(lambda url: url != newest)
    keys.press("[")
    page.wait_for_url(newest)
    keys.press("e")
    expect(page.get_by_role("dialog", name="Resend this delivery?")).to_be_visible()
    keys.press("Escape")
    keys.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    keys.press("Escape")
    keys.press("/")
    expect(page.get_by_role("searchbox", name="Search by id")).to_be_focused()
    keys.type("gd?")
    expect(page).to_have_url(newest)


def test_single_keys_can_be_switched_off(page: Page, hook: str) -> None:
    switch = page.get_by_role("switch", name="Single-key shortcuts")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    page.goto("/account")
    switch.click()
    expect(switch).not_to_be_checked()

    page.goto(LOG)
    page.keyboard.press("?")
    expect(sheet).to_be_hidden()

    page.goto("/account")
    switch.click()
    expect(switch).to_be_checked()
    page.goto(LOG)
    page.keyboard.press("?")
    expect(sheet).to_be_visible()


def test_the_palette_leads_to_pages_and_hooks(page: Page, hook: str) -> None:
    page.goto(LOG)

    page.keyboard.press("Control+k")
    expect(page.locator("#palette-results a").first).to_have_text(re.compile("Dashboard"))
    page.keyboard.type("follow")
    expect(page.locator("#palette-results ul[data-words=follow] a").first).to_have_text(re.compile("Followed"))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile(f"{hook}$"))


def test_earlier_attempts_are_fetched_when_they_are_opened(page: Page, hook: str) -> None:
    page.goto(f"{LOG}?q=")
    page.locator("#log .title-link").last.click()
    page.get_by_role("link", name="Resend", exact=True).click()
    page.get_by_role("button", name="Resend now").click()
    expect(page.get_by_text("Attempt 2", exact=True)).to_be_visible(timeout=20_000)
    page.reload()
    first = page.locator("#attempt-1")

    first.locator("summary").first.click()

    expect(first.get_by_role("heading", name="Request", exact=True)).to_be_visible()
    expect(first.get_by_role("rowheader", name="User-Agent")).to_be_visible()
