"""An organization with something to show on every page, hostile text included; the addresses of all pages."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from playwright.sync_api import Page, expect
from werkzeug.routing import Rule

from console.app import create_app
from console.settings import Settings

TRAP = "<img src=x onerror=trapped()><script>trapped()</script>{{ 7 * 7 }}\u202egnp.exe"
"""What must stay text: markup, a script, a template's expression, and a sign that turns the direction of reading."""

NOT_PAGES = {
    "static": "files",
    "catch.catch": "answers receivers' senders, always in plain text",
    "bins.body": "a download",
    "deliveries.request_body": "a download",
    "deliveries.response_body": "a download",
    "events.payload": "a download",
    "events.types_export": "a download",
    "settings.audit_csv": "a download",
    "settings.organization_export": "a download",
    "home.index": "leads to the dashboard",
    "search.go": "leads to what was found; the list of several is visited below",
    "sessions.new": "leads those who are signed in away; visited below without a session",
    "sessions.code": "the second step of signing in",
    "setup.show": "open only until the first admin exists",
    "joining.show": "opened by a link, in test_people.py",
    "dashboard.live": "a part of the dashboard",
    "bins.news": "a part of the bin's page",
    "deliveries.tail": "a part of the log",
    "deliveries.live": "a part of the delivery's page",
    "deliveries.attempt": "a part of the delivery's page",
    "events.deliveries_live": "a part of the event's page",
    "hooks.live": "a part of the hook's page",
    "hooks.sample": "a part of the hook's page",
    "hooks.test_result": "a part of the hook's page",
    "hooks.trial_result": "a part of the hook's form",
    "replays.progress": "a part of the replay's page",
}
"""Routes that answer GET and are no page of their own, and why."""

BESIDES = (
    "/o/acme/deliveries?q=nothing-is-called-that",
    "/o/acme/deliveries?state=delivered",
    "/o/acme/hooks?q=nothing",
    "/o/acme/replays/new?which=all",
    "/o/acme/search?q=order",
    "/nowhere",
)
"""States of pages that are worth a visit of their own."""


def furnish(page: Page) -> list[str]:
    """Make one of everything as Ada; give the addresses of every page of the console."""
    found: dict[str, str] = {
        "organization": "acme",
        "name": "order.paid",
        "number": "1",
        "kind": "waiting",
        "act": "deactivate",
    }
    found["bin_id"] = _make_bin(page)
    page.goto(f"/o/acme/hooks/new?bin={found['bin_id']}")
    page.get_by_label("Name").first.fill(f"Furniture {TRAP}")
    page.locator("#description").fill(TRAP)
    page.get_by_label("Every event, future types too").check()
    page.get_by_role("button", name="Create hook").click()
    page.wait_for_url(re.compile(r"/hooks/[0-9a-f-]{36}"))
    found["hook_id"] = _id_in(page.url)
    page.get_by_role("button", name="Send test").click()
    expect(page.locator("#test-result").get_by_text("Delivered", exact=True)).to_be_visible(timeout=20_000)
    _make_type(page)
    found["event_id"] = _publish(page)

    page.goto("/o/acme/deliveries?event_type=order.paid")
    found["delivery_id"] = _id_in(str(page.locator("table a[href*='/deliveries/']").first.get_attribute("href")))
    page.goto("/o/acme/replays/new?which=all")
    page.get_by_role("button", name=re.compile(r"^Replay \d+ deliver")).click()
    page.wait_for_url(re.compile(r"/replays/[0-9a-f-]{36}"))
    found["replay_id"] = _id_in(page.url)
    found["token_id"] = _make_token(page)
    found["user_id"] = _invite(page)
    paths = [_address(rule, found) for rule in pages_of_the_console()]
    hook = f"/o/acme/hooks/{found['hook_id']}"
    return [
        *paths,
        *BESIDES,
        f"{hook}/explain?event={found['event_id']}",
        f"/o/acme/bins/{found['bin_id']}?confirm=clear",
    ]


def _invite(page: Page) -> str:
    """Let a colleague join, who may be given another role or removed, which the only admin may not."""
    page.goto("/o/acme/settings/members")
    page.get_by_label("E-mail").fill("grace@example.com")
    page.get_by_role("button", name="Make a link").click()
    link = page.locator(".once code").inner_text()
    assert page.context.browser is not None
    context = page.context.browser.new_context()
    guest = context.new_page()
    guest.goto(link)
    guest.get_by_label("Your name").fill(TRAP)
    guest.get_by_label("Password").fill("look but do not touch")
    guest.get_by_role("button", name="Make an account and join").click()
    guest.wait_for_url("**/o/acme/")
    context.close()
    page.goto("/o/acme/settings/members")
    return _id_in(str(page.locator("a[href*='/remove']").first.get_attribute("href")))


def pages_of_the_console() -> list[Rule]:
    """Give every route of the console that is a page, so that a new one cannot be forgotten."""
    settings = Settings(data=Path("nowhere"), secret_key="a key for tests that is long enough")
    app = create_app(settings)
    return [
        rule
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ())
        and app.view_functions[rule.endpoint].__module__.startswith("console.web")
        and rule.endpoint not in NOT_PAGES
    ]


def _address(rule: Rule, values: Mapping[str, str]) -> str:
    missing = rule.arguments - values.keys()
    assert not missing, (
        f"{rule.rule} is new: say in furnish() which {missing} it shows, or in NOT_PAGES why it is no page"
    )
    _domain, path = rule.build({name: values[name] for name in rule.arguments}) or ("", "")
    return path


def _make_bin(page: Page) -> str:
    """Make a bin whose answer is hostile."""
    page.goto("/o/acme/bins")
    page.get_by_label("Name").fill(f"Bin {TRAP}")
    page.get_by_role("button", name="Create bin").click()
    page.wait_for_url(re.compile(r"/bins/[0-9a-f-]{36}"))
    bin_id = _id_in(page.url)
    page.goto(f"/o/acme/bins/{bin_id}/edit")
    page.get_by_label("Body").fill(f"</pre></details>{TRAP}")
    page.get_by_role("button", name="Save the answer").click()
    page.wait_for_url(re.compile(rf"/bins/{bin_id}$"))
    return bin_id


def _make_type(page: Page) -> None:
    """Put a type with hostile words and a schema into the catalogue."""
    page.goto("/o/acme/events/new-type")
    page.get_by_label("Name").fill("order.paid")
    page.get_by_label("Description").fill(TRAP)
    page.get_by_label("Sample payload").fill(json.dumps({"order": 17, TRAP: TRAP}))
    page.get_by_label("JSON Schema").fill(json.dumps({"properties": {"order": {"type": "integer", "title": TRAP}}}))
    page.get_by_role("button", name="Add event type").click()
    page.wait_for_url("**/events/types/order.paid")


def _publish(page: Page) -> str:
    """Publish a hostile event and await its delivery."""
    page.goto("/o/acme/events/publish")
    page.get_by_role("combobox", name="Event type").fill("order.paid")
    page.locator("#payload").fill(json.dumps({"order": 17, TRAP: TRAP, "long": "x" * 3000}, ensure_ascii=False))
    page.get_by_label("Object id").fill(TRAP.replace("\u202e", ""))  # invisible characters are refused there
    page.get_by_role("button", name="Publish").last.click()
    page.wait_for_url(re.compile(r"/events/[0-9a-f-]{36}"))
    expect(page.locator("#deliveries").get_by_text("Delivered").first).to_be_visible(timeout=20_000)
    return _id_in(page.url)


def _make_token(page: Page) -> str:
    page.goto("/o/acme/settings/tokens")
    page.get_by_label("Name").fill(f"Furniture {TRAP}"[:60])
    page.get_by_role("button", name="Create token").click()
    expect(page.get_by_text("is ready")).to_be_visible()
    return _id_in(str(page.locator("a[href*='/revoke']").first.get_attribute("href")))


def _id_in(address: str) -> str:
    found = re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", address)
    assert found, address
    return found[0]
