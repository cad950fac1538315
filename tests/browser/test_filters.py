"""Filters in a browser: nobody who types is disturbed."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.acme import Acme

LISTS = {
    "deliveries": ("log-list", "#filter-hook", "#filter-type"),
    "events": ("event-list", "#filter-source", "#filter-type"),
    "settings/audit": ("audit-list", "#filter-about", "#filter-object"),
}


@pytest.fixture(scope="module")
def hook(acme: Acme) -> str:
    """A hook with a delivery, so that each list has a row."""
    hook = acme.hook_to_a_bin("Filtered")
    acme.send_test(hook)
    acme.product.post("/sources", {"slug": "shop"})
    return hook


def address_of(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


@pytest.mark.parametrize("path", LISTS)
def test_a_date_is_typed_without_being_disturbed_and_applies_once_it_is_complete(
    page: Page, hook: str, path: str
) -> None:
    asked: list[str] = []
    page.goto(f"/o/acme/{path}")
    if path == "deliveries":
        page.get_by_text("More filters").click()
    field = page.locator("#filter-from")
    node = field.element_handle()
    page.on("request", lambda request: asked.append(request.url) if "from=" in request.url else None)

    field.focus()
    page.keyboard.type("11252025", delay=30)
    page.keyboard.press("ArrowRight")
    page.keyboard.type("0930AM", delay=30)
    expect(field).to_have_value("2025-11-25T09:30")
    page.wait_for_url("**2025-11-25*")

    assert page.evaluate("node => node.isConnected && node === document.activeElement", node)
    assert address_of(page)["from"] == ["2025-11-25T09:30Z"]
    assert len(asked) == 1


@pytest.mark.parametrize("path", LISTS)
def test_what_is_typed_while_an_answer_is_on_its_way_stays(page: Page, hook: str, path: str) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    list_, select, text = LISTS[path]
    page.goto(f"/o/acme/{path}")
    page.evaluate("list => { document.getElementById(list).dataset.old = ''; }", list_)
    page.route(f"**/{path}?*", hold)

    page.locator(select).select_option(index=1)
    page.locator(text).press_sequentially("order.")
    assert len(held) == 1
    held[0].continue_()
    expect(page.locator(f"#{list_}[data-old]")).to_have_count(0)

    expect(page.locator(text)).to_have_value("order.")
    expect(page.locator(text)).to_be_focused()


def test_a_filter_keeps_the_state_and_the_period_that_were_chosen_beside_it(page: Page, hook: str) -> None:
    page.goto("/o/acme/deliveries")
    page.get_by_role("link", name="Delivered", exact=True).click()
    page.get_by_role("link", name="Last 24 h").click()
    expect(page.get_by_role("link", name="Last 24 h")).to_have_attribute("aria-current", "true")

    page.locator("#filter-hook").select_option(index=1)
    page.wait_for_url("**hook=*")

    assert (address_of(page)["state"], address_of(page)["since"]) == (["delivered"], ["24h"])
    expect(page.get_by_role("link", name="Delivered", exact=True)).to_have_attribute("aria-current", "true")


def test_a_removed_filter_leaves_its_field_too(page: Page, hook: str) -> None:
    page.goto("/o/acme/hooks?show=enabled&q=Filtered")

    page.get_by_role("link", name="Remove the filter Search").click()

    expect(page.locator("#hooks #q")).to_have_value("")
