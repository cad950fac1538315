"""Every page, in both themes, wide and narrow: accessible, without violations, without sideways scrolling.

``python -m benchmarks screenshots`` makes pictures of the same pages.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import NARROW, WIDE, Product, Watch
from tests.browser.test_newcomer import make_hook_to_a_bin
from tests.browser.test_replays import START, publish

PATHS = [
    "/o/acme/",
    "/o/acme/start",
    "/o/acme/hooks",
    "/o/acme/hooks/new",
    "/o/acme/deliveries",
    "/o/acme/events",
    "/o/acme/events/publish",
    "/o/acme/events/types",
    "/o/acme/events/types/webhook.test",
    "/o/acme/events/new-type",
    "/o/acme/events/import-types",
    "/o/acme/replays",
    "/o/acme/replays/new?which=all",
    "/o/acme/bins",
    "/o/acme/settings/tokens",
    "/o/acme/settings/members",
    "/o/acme/settings/sources",
    "/o/acme/settings/organization",
    "/o/acme/settings/audit",
    "/o/acme/settings/system",
    "/account",
    "/docs/api",
    "/o/acme/deliveries?q=nothing-is-called-that",
    "/nowhere",
]
FROM_LISTS = ["/o/acme/hooks", "/o/acme/deliveries", "/o/acme/events", "/o/acme/replays", "/o/acme/bins"]
OpenContext = Callable[..., BrowserContext]


@pytest.fixture(scope="module")
def furnished(browser: object, product: Product, signed_in_state: dict[str, object]) -> list[str]:
    """Have something on every page; give the paths, those of one hook, delivery, event, replay and bin among them."""
    context = browser.new_context(viewport=WIDE, base_url=product.url, storage_state=signed_in_state)
    page = context.new_page()
    make_hook_to_a_bin(page, name="Furniture")
    page.get_by_role("button", name="Send test").click()
    expect(page.get_by_text("200").first).to_be_visible(timeout=20_000)
    publish(page, "order.paid")
    page.goto("/o/acme/replays/new?which=all")
    page.get_by_role("button", name=START).click()
    found = []
    for path in FROM_LISTS:
        page.goto(path)
        link = page.locator(f"table a[href*='{path}/']").first
        found.append(str(link.get_attribute("href")).split("?")[0])
    context.close()
    event = found[FROM_LISTS.index("/o/acme/events")].rsplit("/", 1)[-1]
    return [*PATHS, *found, f"{found[0]}/explain", f"{found[0]}/explain?event={event}"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(furnished: list[str], open_context: OpenContext, watch: Watch, theme: str) -> None:
    page = watch.over(open_context(color_scheme=theme).new_page())
    axe = Axe()
    found = []

    for path in furnished:
        page.goto(path)
        violations = axe.run(page).response["violations"]
        found += [(path, one["id"], [node["html"][:120] for node in one["nodes"]]) for one in violations]

    assert found == []


@pytest.mark.parametrize("width", [320, NARROW["width"], WIDE["width"]])
def test_nothing_scrolls_sideways(furnished: list[str], open_context: OpenContext, watch: Watch, width: int) -> None:
    page = watch.over(open_context(viewport={"width": width, "height": 900}).new_page())

    for path in furnished:
        page.goto(path)
        assert sideways(page) <= 0, path


def sideways(page: Page) -> int:
    """Measure by how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
