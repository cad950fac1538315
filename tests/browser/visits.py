"""One visit of each page, at which all is looked at that can be: to load a page takes longer than to look at it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import NARROW, WIDE

WATCH_LAYOUT = """
window.shift = 0;
new PerformanceObserver(list => { for (const one of list.getEntries()) window.shift += one.value; })
  .observe({type: "layout-shift", buffered: true});
"""
SET_TRAP = "window.trapped = () => { window.sprung = true; };"
SHIFTED = "new Promise(done => requestAnimationFrame(() => setTimeout(() => done(window.shift))))"
WIDTHS = (WIDE["width"], 1200, 1024, 768, NARROW["width"], 320)
FOUR_TIMES_LARGER = {"width": 320, "height": 256}
"""A window of 1280 by 1024, zoomed to 400 %."""

WIDER_TEXT = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(
    "* {line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important;}");
  document.adoptedStyleSheets = [sheet];
  return getComputedStyle(document.body).letterSpacing;
}"""
"""WCAG 2.2, success criterion 1.4.12: what people who need wider text set. The policy of the page is not asked."""

USUAL_TEXT = "document.adoptedStyleSheets = []"
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
AXE = Axe().axe_script
RUN_AXE = (
    "axe.run(%s).then(found => found.violations.map(one => [one.id, one.nodes.map(node => node.html.slice(0, 120))]))"
)
COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules of axe that a theme can break: colours alone differ between the themes."""

OPEN_ALL = """() => {
  for (const closed of document.querySelectorAll("main details:not([open]) > summary"))
    if (closed.checkVisibility()) closed.click();
}"""
ALIVE = "main img, main script, main form[action^='//']"


@dataclass(frozen=True, kw_only=True)
class Visit:
    """What was seen of a page."""

    path: str
    sizes: list[float]
    """Bytes on the wire of each request of a first visit."""

    shift: float
    """Cumulative layout shift."""

    in_light: list[list[object]]
    in_dark: list[list[object]]
    """What axe found: the rule, and the elements."""

    papers: tuple[str, str]
    """The colour of the paper in either theme."""

    sideways: dict[int, int]
    """By how many pixels the page is wider than its window, by the width of the window."""

    sideways_when_wider: int
    """The same four times larger and with wider text."""

    text: str
    """All that can be read once everything is opened."""

    sprung: bool
    """Whether a script of what was shown has run."""

    alive: int
    """Elements that only what was shown can have made."""


@dataclass
class Loads:
    """What a page loads, in bytes on the wire: not what it polls for later, nor the browser's own pictures."""

    others: set[str] = field(default_factory=set)
    sizes: list[float] = field(default_factory=list)

    def over(self, page: Page) -> None:
        """Listen to what a page loads, always anew."""
        wire = page.context.new_cdp_session(page)
        wire.send("Network.enable")
        wire.send("Network.setCacheDisabled", {"cacheDisabled": True})
        wire.on("Network.requestWillBeSent", self._begin)
        wire.on("Network.loadingFinished", self._end)

    def _begin(self, event: dict[str, Any]) -> None:
        if event["type"] in {"XHR", "Fetch"} or event["request"]["url"].startswith("data:"):
            self.others.add(event["requestId"])

    def _end(self, event: dict[str, Any]) -> None:
        if event["requestId"] not in self.others:
            self.sizes.append(event["encodedDataLength"])


def visit_all(page: Page, paths: list[str]) -> list[Visit]:
    """Visit pages, one after the other, as somebody who has never seen one."""
    page.add_init_script(WATCH_LAYOUT + SET_TRAP)
    loads = Loads()
    loads.over(page)
    return [_visit(page, path, loads) for path in paths]


def _visit(page: Page, path: str, loads: Loads) -> Visit:
    """Look at a page; what changes it comes after what must see it as it is."""
    page.emulate_media(color_scheme="light", reduced_motion="no-preference")
    loads.sizes.clear()
    page.goto(path, wait_until="load")
    shift = page.evaluate(SHIFTED)
    sizes = list(loads.sizes)
    page.evaluate(AXE)
    in_light, light_paper = _axe(page), _paper(page)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")  # a colour on its way to another is neither
    in_dark, dark_paper = _axe(page, runOnly=COLOURS), _paper(page)
    sideways = _sideways(page)
    sideways_when_wider = _sideways_when_wider(page)
    page.set_viewport_size(WIDE)
    page.evaluate(OPEN_ALL)
    return Visit(
        path=path,
        sizes=sizes,
        shift=shift,
        in_light=in_light,
        in_dark=in_dark,
        papers=(light_paper, dark_paper),
        sideways=sideways,
        sideways_when_wider=sideways_when_wider,
        text=page.locator("body").inner_text(),
        sprung=bool(page.evaluate("window.sprung")),
        alive=page.locator(ALIVE).count(),
    )


def _axe(page: Page, **options: object) -> list[list[object]]:
    return list(page.evaluate(RUN_AXE % json.dumps({"resultTypes": ["violations"], **options})))


def _paper(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def _sideways(page: Page) -> dict[int, int]:
    found = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        found[width] = page.evaluate(SIDEWAYS)
    return found


def _sideways_when_wider(page: Page) -> int:
    page.set_viewport_size(FOUR_TIMES_LARGER)
    assert page.evaluate(WIDER_TEXT) != "normal", "the text has not become wider"
    found = page.evaluate(SIDEWAYS)
    page.evaluate(USUAL_TEXT)
    return int(found)
