"""Ways through the console that people go every week, from the first click to the last."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.acme import Acme
from tests.browser.conftest import PASSWORD, OpenWindow, Watch
from tests.up.stage import Up

LOG = "/o/acme/deliveries"


@pytest.fixture
def stranger(browser: Browser, product: Up, watch: Watch) -> Iterator[Page]:
    """A page of somebody who is not signed in."""
    context = browser.new_context(base_url=product.url)
    yield watch.over(context.new_page())
    context.close()


def sign_in(page: Page, *, password: str = PASSWORD) -> None:
    page.get_by_label("E-mail").fill("ada@example.com")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def send_test(page: Page) -> None:
    page.get_by_role("button", name="Send test").click()
    expect(page.locator("#test-result").get_by_text("Delivered", exact=True)).to_be_visible(timeout=20_000)


def test_filters_stand_in_the_address_and_back_brings_whole_pages(page: Page, acme: Acme) -> None:
    acme.send_test(acme.hook_to_a_bin("Filtered"))
    page.goto(LOG)
    page.get_by_role("link", name="Failed", exact=True).click()
    expect(page).to_have_url(re.compile("state=failed"))
    expect(page.get_by_text("Nothing matches")).to_be_visible()
    page.get_by_role("link", name="Hooks", exact=True).first.click()
    page.wait_for_url("**/hooks")

    page.go_back()
    expect(page).to_have_url(re.compile("state=failed"))
    expect(page.get_by_role("navigation", name="Sections")).to_be_visible()
    page.go_back()
    expect(page).to_have_url(re.compile(f"{LOG}$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Deliveries")
    expect(page.locator("#log tbody tr[id]").first).to_be_visible()


def test_who_was_signed_out_meanwhile_signs_in_and_is_back(page: Page, acme: Acme, watch: Watch) -> None:
    acme.hook_to_a_bin("Left open")
    page.goto("/o/acme/hooks")
    page.context.clear_cookies()

    page.get_by_role("link", name="Failing", exact=True).click()

    page.wait_for_url(re.compile("/login"))
    assert [one for one in watch.complaints if "401" not in one] == []
    watch.complaints.clear()  # htmx reports the refusal to the developer's console
    sign_in(page)
    expect(page).to_have_url(re.compile(rf"{acme.product.url}/o/acme/hooks"))
    expect(page.get_by_role("navigation", name="Sections")).to_be_visible()


def test_a_secret_is_rotated_without_an_outage(page: Page, acme: Acme) -> None:
    hook = acme.hook_to_a_bin("Rotated")
    page.goto(hook)
    page.get_by_role("link", name="Secret").click()
    page.get_by_role("button", name="Make a new secret").click()
    expect(page.get_by_role("heading", name="What signs now")).to_be_visible()
    expect(page.get_by_text("signs until")).to_be_visible()

    page.goto(hook)
    send_test(page)
    page.get_by_role("link", name="Secret").click()
    page.get_by_role("link", name="End the overlap now…").click()
    page.get_by_role("button", name="End the overlap").click()
    expect(page.get_by_role("heading", name="The secret", exact=True)).to_be_visible()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Show the secret").click()
    expect(page.get_by_text(re.compile("^whsec_"))).to_be_visible()


@pytest.mark.parametrize("has_scripts", [True, False])
def test_selected_deliveries_are_sent_again_together(
    open_window: OpenWindow, acme: Acme, watch: Watch, *, has_scripts: bool
) -> None:
    hook = acme.hook_to_a_bin(f"Selected {has_scripts}")
    acme.send_test(hook)
    acme.send_test(hook)
    with open_window(java_script_enabled=has_scripts).page() as page:
        watch.over(page).goto(hook)
        resend_all_selected(page, has_scripts=has_scripts)


def resend_all_selected(page: Page, *, has_scripts: bool) -> None:
    page.get_by_role("link", name="All deliveries").or_(page.get_by_role("link", name="Deliveries")).last.click()
    boxes = page.locator("#log tbody .tick input")
    boxes.nth(0).check()
    boxes.nth(1).check()
    if has_scripts:
        expect(page.get_by_role("button", name=re.compile("^Cancel"))).to_be_hidden()  # nothing that was ticked waits
        page.get_by_role("button", name="Clear selection").click()
        expect(page.locator(".bulk")).to_be_hidden()
        boxes.nth(0).check()
        boxes.nth(1).check()

    page.get_by_role("button", name=re.compile("^Resend (2|selected)$")).click()

    expect(page.get_by_text("2 deliveries are sent now")).to_be_visible()
    for _ in range(100):
        if page.locator("#log tbody").get_by_text("2", exact=True).count() >= 2:
            return
        page.wait_for_timeout(200)
        page.reload()
    pytest.fail("they were not sent again")


def test_a_colleague_who_may_only_look_joins_by_a_link(page: Page, stranger: Page, acme: Acme) -> None:
    acme.hook_to_a_bin("Looked at")
    page.goto("/o/acme/settings/members")
    page.get_by_label("E-mail").fill("vi@example.com")
    page.get_by_label("Role", exact=True).select_option(label="Viewer")
    page.get_by_role("button", name="Make a link").click()
    link = page.locator(".once code").first.inner_text()

    stranger.goto(link)
    stranger.get_by_label("Your name").fill("Vi Viewer")
    stranger.get_by_label("Password").fill("look but do not touch")
    stranger.get_by_role("button", name="Make an account and join").click()
    stranger.wait_for_url("**/o/acme/")
    stranger.goto("/o/acme/hooks")

    expect(stranger.get_by_role("link", name="Looked at").first).to_be_visible()
    expect(stranger.get_by_role("link", name="New hook")).to_have_count(0)
    expect(stranger.get_by_role("switch").first).to_be_disabled()
    stranger.goto("/o/acme/hooks/new")
    expect(stranger.get_by_role("heading", level=1)).not_to_have_text("New hook")
    page.reload()
    expect(page.get_by_text("vi@example.com").first).to_be_visible()


def test_a_hook_is_made_and_tested_by_keyboard_alone(page: Page) -> None:
    keys = page.keyboard
    page.goto("/o/acme/hooks")
    keys.press("n")
    page.wait_for_url("**/hooks/new")

    reach(page, "Name")
    keys.type("By keyboard")
    reach(page, "Use a bin")
    keys.press("Enter")
    expect(page.get_by_label("URL", exact=True)).to_have_value(re.compile("/in/"))
    reach(page, "Every event, future types too")
    keys.press("Space")
    reach(page, "Create hook")
    keys.press("Enter")
    page.wait_for_url(re.compile(r"/hooks/[0-9a-f-]{36}"))
    reach(page, "Send test")
    keys.press("Enter")

    expect(page.locator("#test-result").get_by_text("Delivered", exact=True)).to_be_visible(timeout=20_000)


NAME_OF_FOCUSED = """() => {
  const one = document.activeElement;
  return (one.labels?.[0]?.innerText || one.getAttribute("aria-label") || one.innerText || "").trim().split("\\n")[0];
}"""

IS_IN_SIGHT = """() => {
  const one = document.activeElement, at = one.getBoundingClientRect();
  const top = document.elementFromPoint(at.x + at.width / 2, at.y + at.height / 2);
  return top !== null && (top.contains(one) || one.contains(top));
}"""


def reach(page: Page, name: str) -> None:
    """Press Tab until what is called *name* has the focus, in sight and not covered."""
    for _ in range(150):
        page.keyboard.press("Tab")
        if page.evaluate(NAME_OF_FOCUSED).startswith(name):
            assert page.evaluate(IS_IN_SIGHT), f"{name} is covered while it has the focus"
            return
    pytest.fail(f"Tab never reaches {name}")


def test_a_second_factor_is_asked_for_once_it_is_on(page: Page, stranger: Page, product: Up) -> None:
    page.goto("/account/two-factor")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Connect an app").click()
    secret = page.get_by_text("Or type the secret into it").locator("code").inner_text()
    app = pyotp.TOTP(secret.replace(" ", ""))
    page.get_by_label("Code").fill(app.now())
    page.get_by_role("button", name="Turn on").click()
    recovery = page.locator("pre.code").inner_text().split()[0]

    stranger.goto("/login")
    sign_in(stranger)
    stranger.get_by_label("Your code").or_(stranger.get_by_label("Code")).fill("000000")
    stranger.get_by_role("button", name="Sign in").click()
    expect(stranger.get_by_text("Not signed in")).to_be_visible()
    stranger.get_by_label("Your code").or_(stranger.get_by_label("Code")).fill(recovery)
    stranger.get_by_role("button", name="Sign in").click()

    expect(stranger).to_have_url(re.compile(rf"{product.url}/o/acme/"))
    page.goto("/account/two-factor")
    page.get_by_label("Your password").last.fill(PASSWORD)
    page.get_by_role("button", name="Turn off").click()
    expect(page.get_by_role("region", name="Two-factor sign-in").get_by_text("off", exact=True)).to_be_visible()
