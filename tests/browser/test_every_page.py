"""Every page, in both themes and at every width: accessible, quiet, light, steady, and deaf to hostile text.

``python -m benchmarks screenshots`` makes pictures of the same pages.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import NARROW, WIDE, Watch
from tests.browser.furniture import furnish
from tests.up.stage import Up

OpenContext = Callable[..., BrowserContext]
FIRST_VISIT = 100 * 1024
REQUESTS = 8
SHIFT = 0.05
"""Budgets of a first visit: bytes on the wire without payloads, requests, cumulative layout shift."""

WATCH_LAYOUT = """
window.shift = 0;
new PerformanceObserver(list => { for (const one of list.getEntries()) window.shift += one.value; })
  .observe({type: "layout-shift", buffered: true});
"""
SET_TRAP = "window.trapped = () => { window.sprung = true; };"
SPACED = "* {line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important;}"
"""WCAG 2.2, success criterion 1.4.12: what people who need wider text set."""


@dataclass
class Loads:
    """What a page loads, in bytes on the wire: not what it polls for later, nor the browser's own pictures."""

    others: set[str] = field(default_factory=set)
    sizes: list[float] = field(default_factory=list)

    def begin(self, event: dict[str, Any]) -> None:
        if event["type"] in {"XHR", "Fetch"} or event["request"]["url"].startswith("data:"):
            self.others.add(event["requestId"])

    def end(self, event: dict[str, Any]) -> None:
        if event["requestId"] not in self.others:
            self.sizes.append(event["encodedDataLength"])


@pytest.fixture(scope="module")
def furnished(browser: Browser, product: Up, signed_in_state: dict[str, object]) -> list[str]:
    context = browser.new_context(viewport=WIDE, base_url=product.url, storage_state=signed_in_state)
    paths = furnish(context.new_page())
    context.close()
    return paths


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(furnished: list[str], open_context: OpenContext, watch: Watch, theme: str) -> None:
    page = watch.over(open_context(color_scheme=theme).new_page())
    # Colours alone differ between the themes.
    rules = {"runOnly": ["color-contrast", "link-in-text-block"]} if theme == "dark" else {}
    axe = Axe()
    found = []

    for path in furnished:
        page.goto(path)
        violations = axe.run(page, options=rules).response["violations"]
        found += [(path, one["id"], [node["html"][:120] for node in one["nodes"]]) for one in violations]

    assert found == []


def test_nothing_scrolls_sideways(furnished: list[str], open_context: OpenContext, watch: Watch) -> None:
    page = watch.over(open_context().new_page())
    found = []

    for path in furnished:
        page.goto(path)
        for width in (320, NARROW["width"], 768, 1024, 1200, WIDE["width"]):
            page.set_viewport_size({"width": width, "height": 900})
            if sideways(page) > 0:
                found.append((path, width, sideways(page)))

    assert found == []


def test_four_times_larger_and_wider_text_still_fits(furnished: list[str], open_context: OpenContext) -> None:
    # A window of 1280 by 1024, zoomed to 400 %. The styles of the reader pass by the policy of the page.
    page = open_context(viewport={"width": 320, "height": 256}, bypass_csp=True).new_page()
    found = []

    for path in furnished:
        page.goto(path)
        page.add_style_tag(content=SPACED)
        if sideways(page) > 0:
            found.append((path, sideways(page)))

    assert found == []


def test_a_first_visit_is_light_and_nothing_jumps(
    furnished: list[str], open_context: OpenContext, watch: Watch
) -> None:
    page = watch.over(open_context().new_page())
    page.add_init_script(WATCH_LAYOUT)
    wire = page.context.new_cdp_session(page)
    wire.send("Network.enable")
    wire.send("Network.setCacheDisabled", {"cacheDisabled": True})
    loads = Loads()
    wire.on("Network.requestWillBeSent", loads.begin)
    wire.on("Network.loadingFinished", loads.end)
    found = []

    for path in furnished:
        loads.sizes.clear()
        page.goto(path, wait_until="load")
        shift = page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(() => done(window.shift))))")
        if sum(loads.sizes) > FIRST_VISIT or len(loads.sizes) > REQUESTS or shift >= SHIFT:
            found.append((path, sum(loads.sizes), len(loads.sizes), shift))

    assert found == []


def test_swaps_move_nothing_that_stays(furnished: list[str], open_context: OpenContext, watch: Watch) -> None:
    page = watch.over(open_context().new_page())
    page.add_init_script(WATCH_LAYOUT)

    page.goto("/o/acme/deliveries")
    page.get_by_role("link", name="Delivered", exact=True).first.click()
    page.wait_for_url("**state=delivered*")
    assert page.evaluate("window.shift") < SHIFT
    page.goto("/o/acme/hooks")
    switch = page.get_by_role("switch").first
    switch.click()
    expect(page.get_by_role("switch").first).to_have_attribute("aria-checked", "false")
    assert page.evaluate("window.shift") < SHIFT
    page.get_by_role("switch").first.click()
    expect(page.get_by_role("switch").first).to_have_attribute("aria-checked", "true")
    assert page.evaluate("window.shift") < SHIFT


def test_hostile_text_stays_text(furnished: list[str], open_context: OpenContext, watch: Watch) -> None:
    page = watch.over(open_context().new_page())
    page.add_init_script(SET_TRAP)
    shown = 0

    for path in furnished:
        page.goto(path)
        for closed in page.locator("main details:not([open]) > summary").all():
            if closed.is_visible():
                closed.click()
        assert not page.evaluate("window.sprung"), path
        assert page.locator("main img, main script, main form[action^='//']").count() == 0, path
        text = page.locator("body").inner_text()
        assert "\u202e" not in text, path
        shown += "⟨U+202E⟩" in text

    assert shown > 15, "the pages did not show what they were furnished with"


def sideways(page: Page) -> int:
    """Measure by how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
