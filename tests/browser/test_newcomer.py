"""The first ten minutes of somebody who has read nothing."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from console.services.organizations import organizations
from tests.browser.acme import Acme
from tests.browser.conftest import PASSWORD
from tests.up.stage import Up


def test_three_clicks_after_set_up_a_delivery_has_arrived(page: Page, product: Up) -> None:
    with product.work() as work:
        organizations.create(work, slug="fresh")
    page.goto("/o/fresh/start")

    page.get_by_role("button", name="Create a bin").click()
    page.get_by_role("button", name="Create a hook").click()
    page.get_by_role("button", name="Send a test").click()

    steps = page.locator("#steps")
    expect(steps.get_by_text("Delivered")).to_be_visible(timeout=20_000)
    expect(steps.get_by_text("The bin caught it")).to_be_visible(timeout=20_000)
    page.get_by_role("link", name="See the delivery").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("webhook.test")
    expect(page.get_by_role("rowheader", name="webhook-id").first).to_be_visible()
    expect(page.get_by_role("heading", name="Response", exact=True).first).to_be_visible()


def make_hook_to_a_bin(page: Page, *, name: str) -> None:
    """Take the way through the form, with a bin for a receiver."""
    page.goto("/o/acme/hooks/new")
    page.get_by_role("button", name="Use a bin").click()
    expect(page.get_by_label("URL", exact=True)).to_have_value(re.compile(r"/in/[\w-]{22}$"))
    page.get_by_label("Name").first.fill(name)
    page.get_by_label("Every event, future types too").check()
    page.get_by_role("button", name="Create hook").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def test_a_hook_made_by_form_answers_its_test_on_the_same_page(page: Page) -> None:
    make_hook_to_a_bin(page, name="By form")

    page.get_by_role("button", name="Send test").click()

    expect(page.get_by_text(re.compile(r"\b200\b")).first).to_be_visible(timeout=20_000)
    expect(page).to_have_url(re.compile(r"/hooks/[0-9a-f-]{36}(\?.*)?$"))


def test_the_same_works_without_javascript(plain_page: Page) -> None:
    page = plain_page
    make_hook_to_a_bin(page, name="Without scripts")

    page.get_by_role("button", name="Send test").click()

    expect(page).to_have_url(re.compile(r"/deliveries/[0-9a-f-]{36}"))
    delivered = page.get_by_role("main").get_by_text("Delivered", exact=True).first
    for _ in range(100):
        if delivered.is_visible():
            break
        page.wait_for_timeout(100)
        page.reload()
    expect(delivered).to_be_visible()


def test_a_switch_turns_a_hook_off_and_on_in_place(page: Page, acme: Acme) -> None:
    acme.hook_to_a_bin("Switched")
    page.goto("/o/acme/hooks?q=Switched")
    switch = page.get_by_role("switch").first

    expect(switch).to_have_attribute("aria-checked", "true")
    switch.click()
    expect(page.get_by_role("switch").first).to_have_attribute("aria-checked", "false")
    page.get_by_role("switch").first.click()
    expect(page.get_by_role("switch").first).to_have_attribute("aria-checked", "true")


def test_a_published_event_can_be_found_opened_and_resent(page: Page, acme: Acme) -> None:
    acme.hook_to_a_bin("For resending")
    page.goto("/o/acme/events/publish")
    page.get_by_role("combobox", name="Event type").fill("order.paid")
    page.get_by_label("Payload").fill('{"order": 17, "note": "<script>alert(1)</script>"}')
    page.get_by_role("button", name="Publish").last.click()
    expect(page.get_by_text("Delivered").first).to_be_visible(timeout=20_000)

    page.goto("/o/acme/deliveries?event_type=order.paid")
    page.locator("table a", has_text="order.paid").first.click()
    page.wait_for_url(re.compile(r"/deliveries/[0-9a-f-]{36}"))
    page.get_by_role("link", name="Resend", exact=True).click()
    page.get_by_role("button", name="Resend now").click()

    expect(page.get_by_text("Attempt 2", exact=True)).to_be_visible(timeout=20_000)


def test_private_targets_are_refused_in_words(page: Page) -> None:
    page.goto("/o/acme/hooks/new")

    for url in ("http://169.254.169.254/", "http://2130706433/"):
        page.get_by_label("URL", exact=True).fill(url)
        page.get_by_role("button", name="Create hook").click()
        expect(page.locator("[aria-invalid=true]").first).to_be_visible()
        expect(page).to_have_url(re.compile("/hooks"))


def test_signing_out_and_in_again(page: Page, product: Up) -> None:
    page.goto("/login")
    page.context.clear_cookies()
    page.goto("/o/acme/hooks")

    expect(page).to_have_url(re.compile("/login"))
    page.get_by_label("E-mail").fill("ada@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{product.url}/o/acme/hooks")
