"""Forms in a browser that are sent twice: by a double click, by Enter twice, and after Back."""

from __future__ import annotations

import re

from playwright.sync_api import Page, Route, expect

from tests.browser.acme import Acme
from tests.browser.conftest import Watch


def names(page: Page, name: str) -> int:
    page.goto("/o/acme/bins")
    return page.get_by_role("link", name=name, exact=True).count()


def test_a_double_click_and_enter_twice_create_one_thing(page: Page, acme: Acme) -> None:
    page.goto("/o/acme/bins")
    page.get_by_label("Name").fill("Clicked twice")
    page.get_by_role("button", name="Create bin").dblclick()
    page.wait_for_url(re.compile("/bins/[0-9a-f-]{36}"))
    assert names(page, "Clicked twice") == 1

    page.get_by_label("Name").fill("Entered twice")
    page.get_by_label("Name").press("Enter")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/bins/[0-9a-f-]{36}"))
    assert names(page, "Entered twice") == 1


def test_back_and_sending_again_leads_to_the_same_thing(page: Page, acme: Acme) -> None:
    page.goto("/o/acme/bins")
    page.get_by_label("Name").fill("Sent again")
    page.get_by_role("button", name="Create bin").click()
    page.wait_for_url(re.compile("/bins/[0-9a-f-]{36}"))
    made = page.url

    page.go_back()
    page.get_by_label("Name").fill("Sent again")
    page.get_by_role("button", name="Create bin").click()

    page.wait_for_url(made)
    assert names(page, "Sent again") == 1


def test_the_button_is_locked_while_a_request_runs_and_free_again_when_it_failed(
    page: Page, acme: Acme, watch: Watch
) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.goto("/o/acme/settings/tokens")
    page.get_by_label("Name").fill("Held")
    page.route("**/settings/tokens", hold)
    button = page.get_by_role("button", name="Create token")

    button.click()
    expect(button).to_have_attribute("aria-disabled", "true")
    page.get_by_label("Name").press("Enter")
    assert len(held) == 1
    held[0].abort()

    expect(button).not_to_have_attribute("aria-disabled", "true")
    expect(page.get_by_text("Hookyard cannot be reached")).to_be_visible()
    assert all("htmx:" in words for words in watch.complaints)
    watch.complaints.clear()  # htmx writes to the console that its request failed
