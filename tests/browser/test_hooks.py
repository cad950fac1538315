"""What a hook's pages do by htmx: errors come and go with the fields they are about, the chart changes its span."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.acme import Acme


def test_an_error_stands_at_its_field_and_goes_when_it_is_put_right_and_tested_again(page: Page) -> None:
    page.goto("/o/acme/hooks/new")
    page.get_by_role("button", name="Use a bin").click()
    expect(page.get_by_label("URL", exact=True)).to_have_value(re.compile(r"/in/[\w-]{22}$"))
    page.get_by_label("Name").first.fill("Put right")
    page.get_by_label("Every event, future types too").check()
    page.get_by_text("Advanced: headers, sources").click()
    page.get_by_label("Retries").select_option("fixed")
    expect(page.locator("#retry-times")).to_have_text(re.compile("“Seconds between attempts” is filled in"))

    page.get_by_role("button", name="Send test first").click()
    wrong = page.get_by_label("Seconds between attempts")
    expect(page.get_by_role("heading", name="Not sent yet")).to_be_visible()
    expect(page.locator("[data-error-summary]")).to_be_focused()
    expect(wrong).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#retry_seconds-error-1")).to_have_text(re.compile("Give a number."))
    page.locator("[data-error-summary]").get_by_role("link", name="Seconds between attempts").click()
    expect(wrong).to_be_focused()

    wrong.fill("10")
    expect(page.locator("#retry_seconds-error-1")).to_be_hidden()
    expect(page.locator("#retry-times")).to_contain_text("11 attempts")
    page.get_by_role("button", name="Send test first").click()

    expect(page.locator("#trial").get_by_text("Delivered", exact=True)).to_be_visible(timeout=20_000)
    expect(page.locator("[data-error-summary]")).to_have_count(0)
    expect(page.get_by_label("Seconds between attempts")).to_have_value("10")
    expect(page.locator("[aria-invalid]")).to_have_count(0)
    page.get_by_role("button", name="Create hook").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Put right")


def test_an_error_of_a_settings_form_goes_when_it_is_sent_again(page: Page) -> None:
    page.goto("/o/acme/settings/sources")
    page.get_by_label("Slug").fill("Not a slug!")
    page.get_by_role("button", name="Create source").click()
    expect(page.get_by_label("Slug")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#slug-error-1")).to_be_visible()

    page.get_by_label("Slug").fill("web-shop")
    page.get_by_role("button", name="Create source").click()

    expect(page.locator("tbody")).to_contain_text("web-shop")
    expect(page.locator("[aria-invalid], .field-error")).to_have_count(0)


def test_the_chart_of_a_hook_changes_its_span_in_place_and_back_changes_it_back(page: Page, acme: Acme) -> None:
    made = acme.hook_to_a_bin("Charted")
    acme.send_test(made)
    page.goto(made)
    hook, chart = page.url, page.locator("#answers-panel")
    expect(chart.get_by_role("link", name="24 hours")).to_have_attribute("aria-current", "true")
    page.evaluate("window.stays = true")

    for name, period in (("7 days", "7d"), ("30 days", "30d")):
        chart.get_by_role("link", name=name).click()
        expect(page).to_have_url(re.compile(rf"period={period}$"))
        expect(chart.get_by_role("link", name=name)).to_have_attribute("aria-current", "true")
        expect(chart).to_contain_text(f"Answers of the last {name}")
    assert page.evaluate("window.stays"), "only the chart was swapped"

    page.go_back()
    expect(page).to_have_url(re.compile(r"period=7d$"))
    expect(page.locator("#answers-panel").get_by_role("link", name="7 days")).to_have_attribute("aria-current", "true")
    expect(page.get_by_role("heading", level=1)).to_have_text("Charted")
    page.go_back()
    expect(page).to_have_url(hook)
    expect(chart.get_by_role("link", name="24 hours")).to_have_attribute("aria-current", "true")
    expect(page.get_by_role("navigation", name="Sections")).to_be_visible()
