"""A real browser on a running ``hookyard up``; pages are watched for errors, CSP violations and foreign requests."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.up.stage import Up, Wait, launching

CHROMIUM = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
PASSWORD = "correct horse battery"
WIDE, NARROW = {"width": 1440, "height": 1000}, {"width": 390, "height": 844}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith("tests/browser/"):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(180))
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="There is no Chromium on this machine."))


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, wait_until_session: Wait) -> Iterator[Up]:
    """``hookyard up`` on a fresh data directory, for all tests of a file."""
    with launching(tmp_path_factory.mktemp("browser"), wait_until_session) as launch:
        up = launch("--workers", "1")
        wait_until_session(lambda: len(up.lines) == 2)
        yield up


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium. Not for longer than a file: Playwright keeps an event loop running, which others could not use."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Watch:
    """What a page must not do, as far as it was seen to."""

    origin: str
    complaints: list[str] = field(default_factory=list)

    def over(self, page: Page) -> Page:
        page.on("console", lambda message: self._hear(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(f"script error: {error}"))
        page.on("request", lambda request: self._see(request.url))
        return page

    def _hear(self, kind: str, text: str) -> None:
        # The browser reports every answer of 4xx as an error of its own; those are looked at where they are meant.
        if kind == "error" and not text.startswith("Failed to load resource"):
            self.complaints.append(text)

    def _see(self, url: str) -> None:
        if urlsplit(url).scheme in {"http", "https"} and not url.startswith(self.origin):
            self.complaints.append(f"request to a stranger: {url}")


@pytest.fixture
def watch(product: Up) -> Iterator[Watch]:
    watch = Watch(product.url)
    yield watch
    assert watch.complaints == []


@pytest.fixture(scope="module")
def signed_in_state(browser: Browser, product: Up) -> dict[str, object]:
    """Set the product up as Ada, once; give the cookies."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(product.setup_url)
    page.get_by_label("Name of your organization").fill("Acme Tickets")
    page.get_by_label("Short name for addresses").fill("acme")
    page.get_by_label("Your name").fill("Ada Lovelace")
    page.get_by_label("Your e-mail").fill("ada@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Set up Hookyard").click()
    page.wait_for_url("**/o/acme/start")
    state = context.storage_state()
    context.close()
    return dict(state)


OpenContext = Callable[..., BrowserContext]


@pytest.fixture
def open_context(browser: Browser, product: Up, signed_in_state: dict[str, object]) -> Iterator[OpenContext]:
    """Open a browser window of Ada's: ``open_context(viewport=NARROW, color_scheme="dark")``."""
    opened: list[BrowserContext] = []

    def open_one(**options: object) -> BrowserContext:
        chosen = {"viewport": WIDE, "base_url": product.url, "storage_state": signed_in_state, **options}
        opened.append(browser.new_context(**chosen))
        return opened[-1]

    yield open_one
    for context in opened:
        context.close()


@pytest.fixture
def page(open_context: OpenContext, watch: Watch) -> Page:
    """A page of Ada's, wide, light, with scripts."""
    return watch.over(open_context().new_page())


@pytest.fixture
def plain_page(open_context: OpenContext, watch: Watch) -> Page:
    """The same without JavaScript."""
    return watch.over(open_context(java_script_enabled=False).new_page())
