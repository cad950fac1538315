"""A hook is made with a filter that is tried as it is typed, tested before it is saved, and explained afterwards."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect


def publish(page: Page, *, event_type: str, payload: str) -> None:
    page.goto("/o/acme/events/publish")
    page.get_by_role("combobox", name="Event type").fill(event_type)
    page.get_by_label("Payload").fill(payload)
    page.get_by_role("button", name="Publish event").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(event_type)


def test_a_filter_is_tried_tested_saved_and_explained(page: Page) -> None:
    publish(page, event_type="parcel.sent", payload='{"weight": 7}')

    page.goto("/o/acme/hooks/new")
    page.get_by_role("button", name="Use a bin").click()
    expect(page.get_by_label("URL", exact=True)).to_have_value(re.compile(r"/in/[\w-]{22}$"))
    page.get_by_label("Name").first.fill("Heavy parcels")
    page.get_by_label("Other types and patterns").press_sequentially("parcel")
    page.get_by_role("button", name="Take parcel.* instead").click()
    expect(page.get_by_label("Other types and patterns")).to_have_value("parcel.*")
    expect(page.locator("#matching")).to_contain_text("Matches 1 type today: parcel.sent; 1 event in the last 7 days.")

    page.get_by_label("Only when the payload satisfies").press_sequentially("weight > ")
    expect(page.locator("#filter-words")).to_contain_text("ends too early")
    page.get_by_label("Only when the payload satisfies").press_sequentially("`10`")
    expect(page.locator("#filter-words")).to_contain_text(
        "Of the latest 1 event that it would hear, 0 would be delivered."
    )

    page.get_by_role("button", name="Send test first").click()
    expect(page.locator("#trial").get_by_text("Delivered")).to_be_visible(timeout=20_000)
    expect(page).to_have_url(re.compile(r"/hooks/new$"))
    page.get_by_role("button", name="Create hook").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Heavy parcels")

    publish(page, event_type="parcel.sent", payload='{"weight": 8}')
    expect(page.locator("[aria-labelledby=unmatched-title]")).to_contain_text("Its filter weight > `10` gives false.")
    page.get_by_role("link", name="Explain Heavy parcels").click()
    expect(page.locator("#verdict-title")).to_have_text("Would not be delivered: the filter says no")
    expect(page.get_by_role("combobox", name="Event type")).to_have_value("parcel.sent")
    page.get_by_label("Payload").fill('{"weight": 12}')
    page.locator("form[method=post]").get_by_role("button", name="Explain").click()
    expect(page.locator("#verdict-title")).to_have_text("Would be delivered")


def test_the_same_form_works_without_javascript(plain_page: Page) -> None:
    page = plain_page
    page.goto("/o/acme/hooks/new")
    page.get_by_role("button", name="Use a bin").click()
    page.get_by_label("Name").first.fill("Plain")
    page.get_by_label("Every event, future types too").check()
    page.get_by_role("button", name="Send test first").click()

    expect(page.get_by_label("Name").first).to_have_value("Plain")
    expect(page.locator("#trial").get_by_role("link", name="Open in the log")).to_be_visible()
    page.get_by_role("button", name="Create hook").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Plain")
