"""Replays in a browser: the preview follows the form, the progress follows the workers; both without scripts too."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.acme import Acme

ENDED = re.compile("Done")
SOME = re.compile(r"\d+ deliver(y|ies) will be sent")
START = re.compile(r"^Replay \d+ deliver")


def test_the_preview_follows_the_form_and_the_progress_the_workers(page: Page, acme: Acme) -> None:
    acme.hook_to_a_bin("Replayed")
    acme.publish("order.paid")
    page.goto("/o/acme/replays")
    page.get_by_role("link", name="New replay").first.click()
    expect(page.locator("#preview")).to_contain_text("Nothing to send")

    page.get_by_text("All", exact=True).click()
    expect(page.locator("#preview")).to_contain_text(SOME)
    page.get_by_label("Event types and wildcards").press_sequentially("invoice.*")  # it is not left
    expect(page.get_by_text("Nothing to send")).to_be_visible()
    page.get_by_label("Remove the condition Event types").click()
    expect(page.locator("#preview")).to_contain_text(SOME)
    expect(page).to_have_url(re.compile(r"replays/new\?which=all&since=24h$"))
    page.get_by_role("button", name=START).click()

    page.wait_for_url(re.compile(r"/replays/[0-9a-f-]{36}"))
    expect(page.locator("#progress")).to_contain_text(ENDED, timeout=30_000)
    expect(page.locator("#progress")).not_to_have_attribute("hx-get", re.compile("."))
    page.get_by_role("link", name="Its deliveries").click()
    expect(page.locator("tbody .tag", has_text="replay").first).to_be_visible()


def test_what_was_typed_a_moment_ago_is_counted_before_anything_is_sent(page: Page, acme: Acme) -> None:
    acme.hook_to_a_bin("Counted")
    acme.publish("order.paid")
    page.goto("/o/acme/replays/new?which=all")
    expect(page.locator("#preview")).to_contain_text(SOME)
    page.get_by_label("Event types and wildcards").fill("order.refunded")
    page.get_by_role("button", name=START).evaluate("button => button.click()")  # sooner than the preview follows

    expect(page.locator("main")).to_contain_text("Nothing was sent")
    expect(page.locator("#preview")).to_contain_text("Nothing to send")
    expect(page.get_by_label("Event types and wildcards")).to_have_value("order.refunded")


def test_the_last_choice_wins_over_answers_to_earlier_ones(page: Page, acme: Acme) -> None:
    acme.hook_to_a_bin("Chosen")
    acme.publish("order.paid")
    page.goto("/o/acme/replays/new?which=all")
    held: list[Route] = []

    def answer(route: Route) -> None:
        if "since=1h" in route.request.url:
            route.continue_()
        else:
            held.append(route)

    page.route("**/replays/new?*", answer)
    with page.expect_request("**/replays/new?*event_type=order*"):
        page.get_by_label("Event types and wildcards").fill("order.*")
    page.get_by_label("Last hour").check(force=True)
    for route in held:
        route.continue_()

    expect(page).to_have_url(re.compile(r"since=1h"))
    expect(page.locator("#preview")).to_contain_text("made in the last hour")
    expect(page.get_by_label("Last hour")).to_be_checked()
    expect(page.get_by_label("Event types and wildcards")).to_have_value("order.*")
    page.unroute("**/replays/new?*")
    page.get_by_label("Hook", exact=True).select_option(label="Chosen")
    expect(page.locator("#preview")).to_contain_text("All deliveries of Chosen, of order.*, made in the last hour.")


def test_the_same_works_without_javascript(plain_page: Page, acme: Acme) -> None:
    page = plain_page
    acme.hook_to_a_bin("Replayed plainly")
    acme.publish("cart.left")
    page.goto("/o/acme/replays/new")

    page.get_by_text("All", exact=True).click()
    page.get_by_label("Event types and wildcards").fill("cart.*")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview")).to_contain_text(SOME)
    page.get_by_role("button", name=START).click()

    for _ in range(100):
        if ENDED.search(page.locator("#progress").inner_text()):
            return
        page.wait_for_timeout(200)
        page.get_by_role("link", name="Refresh").click()
    pytest.fail("the replay did not end")
