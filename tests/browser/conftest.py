"""A real browser on a running ``hookyard up``; pages are watched for errors, CSP violations and foreign requests."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from console.core.permissions import Permission
from console.models import Membership
from console.services.organizations import closing, organizations
from console.services.people import accounts, tokens
from tests.browser.acme import Acme
from tests.up.stage import Up, Wait, launching

CHROMIUM = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--renderer-process-limit=1",  # no process in reserve for each page
]
PASSWORD = "correct horse battery"
WIDE, NARROW = {"width": 1440, "height": 1000}, {"width": 390, "height": 844}


@pytest.hookimpl(trylast=True)  # after the shuffling
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith("tests/browser/"))  # one after the other share one browser
    for item in items:
        if item.nodeid.startswith("tests/browser/"):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(180))
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="There is no Chromium on this machine."))


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory, wait_until_session: Wait) -> Iterator[Up]:
    """``hookyard up`` on a fresh data directory, for the whole folder."""
    with launching(tmp_path_factory.mktemp("browser"), wait_until_session) as launch:
        up = launch("--workers", "1")
        wait_until_session(lambda: len(up.lines) == 2)
        yield up


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium. Not for longer than the folder: Playwright keeps an event loop running, which others could not use."""
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


@pytest.fixture(scope="package")
def signed_in_state(browser: Browser, running: Up) -> dict[str, Any]:
    """Set the product up as Ada, once; give the cookies."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(running.setup_url)
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


@pytest.fixture(scope="module")
def product(running: Up, signed_in_state: dict[str, Any]) -> Up:
    """The product with an organization that nobody has used yet: what other files made is closed."""
    with running.work() as work:
        ada = accounts.get_user(work, login="ada@example.com")
        for organization in organizations.find(work):
            closing.close(work, organization=organization, slug=organization.slug)
        acme = organizations.create(work, slug="acme", name="Acme Tickets")
        with work.transaction():
            work.session.add(Membership(user=ada, organization=acme, role="admin", created_at=work.now()))
        issued = tokens.issue(work, user=ada, organization=acme, permissions=[Permission.ADMIN], name="test")
        running.token = issued.text
    return running


@pytest.fixture(scope="module")
def acme(product: Up, wait_until_session: Wait) -> Acme:
    return Acme(product, wait_until_session)


@dataclass(frozen=True)
class Window:
    """A browser window of Ada's. It stays: a new one costs twice as much as a new page in it."""

    context: BrowserContext
    cookies: list[Any]

    @contextmanager
    def page(self) -> Iterator[Page]:
        """Open a page, with no cookies but Ada's session; close all that were opened."""
        self.context.clear_cookies()
        self.context.add_cookies(self.cookies)
        try:
            yield self.context.new_page()
        finally:
            for page in self.context.pages:
                page.close()


OpenWindow = Callable[..., Window]


@pytest.fixture(scope="package")
def open_window(browser: Browser, running: Up, signed_in_state: dict[str, Any]) -> OpenWindow:
    """Give the window of Ada's with or without scripts: ``open_window(java_script_enabled=False)``."""

    @cache
    def open_one(*, java_script_enabled: bool = True) -> Window:
        context = browser.new_context(viewport=WIDE, base_url=running.url, java_script_enabled=java_script_enabled)
        return Window(context, signed_in_state["cookies"])

    return open_one


@pytest.fixture
def page(open_window: OpenWindow, product: Up, watch: Watch) -> Iterator[Page]:
    """A page of Ada's, wide, light, with scripts."""
    with open_window().page() as page:
        yield watch.over(page)


@pytest.fixture
def plain_page(open_window: OpenWindow, product: Up, watch: Watch) -> Iterator[Page]:
    """The same without JavaScript."""
    with open_window(java_script_enabled=False).page() as page:
        yield watch.over(page)
