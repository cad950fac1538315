"""What comes by polling: the result of a test in place, and the end of what a page shows, said once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests
from playwright.sync_api import Page, expect

from console.core.outcomes import EXPLANATIONS, Outcome
from tests.browser.acme import Acme
from tests.up.stage import Up
from workers.fault_server import FaultServer
from workers.faults import fault_named

MAKE_MARK = "window.isTheSamePage = true"
HAS_MARK = "window.isTheSamePage === true"
OVER = "It is no longer updated."


@contextmanager
def closed_port() -> Iterator[str]:
    with FaultServer(fault_named("ok")) as server:
        url = server.url
    yield url


@contextmanager
def receiver(fault: str) -> Iterator[str]:
    with FaultServer(fault_named(fault)) as server:
        yield server.url


@pytest.mark.parametrize(
    ("serve", "outcome"),
    [
        pytest.param(lambda: receiver("status:500"), Outcome.SERVER_ERROR, id="500"),
        pytest.param(lambda: receiver("status:410"), Outcome.GONE, id="410"),
        pytest.param(lambda: receiver("redirect:https://example.com/"), Outcome.REDIRECT, id="redirect"),
        pytest.param(lambda: receiver("never-answers"), Outcome.TIMEOUT, id="timeout"),
        pytest.param(closed_port, Outcome.CONNECTION_REFUSED, id="refused"),
        pytest.param(lambda: receiver("tls-self-signed"), Outcome.TLS_ERROR, id="wrong-certificate"),
    ],
)
def test_a_test_that_fails_says_so_in_place(
    page: Page, product: Up, acme: Acme, serve: Callable, outcome: Outcome
) -> None:
    with serve() as url:
        made = product.post("/hooks", {"name": outcome, "url": f"{url}/hook", "all_events": True, "timeout": 1})
        page.goto(f"/o/acme/hooks/{made['id']}")
        page.evaluate(MAKE_MARK)

        page.get_by_role("button", name="Send test").click()

        result = page.locator("#test-result")
        expect(result.get_by_text("Failed", exact=True)).to_be_visible(timeout=20_000)
        expect(result).to_contain_text(EXPLANATIONS[outcome].meaning)
        assert page.evaluate(HAS_MARK)


def delete_hook(product: Up, path: str) -> None:
    answer = requests.delete(
        f"{product.url}/api/v1/hooks/{path.rpartition('/')[2]}",
        headers={"Authorization": f"Bearer {product.token}"},
        timeout=10,
    )
    assert answer.status_code == 204


def count_polls(page: Page) -> list[int]:
    """Return a list that gets the status of every answer to a poll."""
    statuses: list[int] = []
    page.on("response", lambda answer: "/live" in answer.url and statuses.append(answer.status))
    return statuses


def test_the_page_of_a_hook_that_was_deleted_elsewhere_says_so_once_and_stops_asking(
    page: Page, product: Up, acme: Acme
) -> None:
    path = acme.hook_to_a_bin("Short-lived")
    page.clock.install()
    page.goto(path)
    statuses = count_polls(page)

    delete_hook(product, path)
    page.clock.run_for(4_000)
    expect(page.get_by_role("alert")).to_contain_text(OVER)
    page.clock.run_for(60_000)

    assert statuses.count(404) == 1
    expect(page.get_by_role("alert")).to_have_count(1)
    expect(page.locator(".toast")).to_have_count(0)
    page.get_by_role("alert").get_by_role("link", name="Back to Hooks").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Hooks")


def test_the_page_of_somebody_who_signed_out_elsewhere_says_so_and_keeps_what_was_typed(page: Page, acme: Acme) -> None:
    path = acme.hook_to_a_bin("Left open")
    page.clock.install()
    page.goto(path)
    page.get_by_text(re.compile("^Payload:")).click()
    page.get_by_label("JSON").fill('{"order": 4711}')

    page.context.clear_cookies()
    page.clock.run_for(4_000)

    expect(page.get_by_role("alert")).to_contain_text("You have been signed out")
    expect(page.get_by_label("JSON")).to_have_value('{"order": 4711}')
    page.get_by_role("alert").get_by_role("link", name="Sign in").click()
    page.wait_for_url(re.compile(r"/login\?next=.*hooks"))


def test_the_switch_keeps_the_focus_when_it_is_used_by_keyboard(page: Page, acme: Acme) -> None:
    path = acme.hook_to_a_bin("By keyboard")
    for place in (path, "/o/acme/hooks"):
        page.goto(place)
        switch = page.get_by_role("switch", name="Hook By keyboard")
        for wanted in ("false", "true"):
            switch.focus()
            page.keyboard.press("Space")
            expect(switch).to_have_attribute("aria-checked", wanted)
            expect(switch).to_be_focused()


def test_focus_stays_near_when_a_swap_takes_its_control_away(page: Page, acme: Acme) -> None:
    hook = acme.hook_to_a_bin("Swapped")
    acme.send_test(hook)
    page.goto("/o/acme/deliveries")
    preset = page.get_by_role("link", name="Delivered", exact=True).first
    preset.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**state=delivered*")
    expect(page.get_by_role("link", name="Delivered", exact=True).first).to_be_focused()

    page.get_by_role("link", name="Remove the filter State").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Remove the filter State")).to_have_count(0)
    expect(page.locator("#log")).to_be_focused()
