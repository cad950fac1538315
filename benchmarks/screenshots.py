"""Pictures of the main pages for the documents: ``hookyard up --demo``, a browser, a minute of sample events.

Needs the `test` extra and the system's Chromium.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WIDTHS = {"wide": 1440, "narrow": 390}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
PAGES = {"dashboard": "/o/demo/", "hooks": "/o/demo/hooks", "deliveries": "/o/demo/deliveries"}
OPENED = {"hook": "/o/demo/hooks", "delivery": "/o/demo/deliveries?state=waiting", "bin": "/o/demo/bins"}


def main(arguments: Sequence[str]) -> int:
    """Take the pictures as the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks screenshots", description=__doc__.split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--folder", type=Path, default=IMAGES, help="where they go (default: docs/images)")
    parser.add_argument("--seconds", type=int, default=60, help="how long events trickle first (default: %(default)s)")
    options = parser.parse_args(arguments)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    data = Path(tempfile.mkdtemp(prefix="hookyard-screenshots-"))
    environment = {**os.environ, "HOOKYARD_DATA": str(data)}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "console.cli", "up", "--demo", "--port", "0"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None  # noqa: S101 a pipe was asked for
        url, setup_url = (re.findall(r"http\S+", process.stdout.readline())[0] for _ in range(2))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            cookies = _set_up(browser, setup_url)
            time.sleep(options.seconds)
            _take(browser, url, cookies, options.folder)
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(data, ignore_errors=True)
    return 0


def _set_up(browser: Browser, setup_url: str) -> object:
    page = browser.new_page()
    page.goto(setup_url)
    page.get_by_label("Name of your organization").fill("Acme")
    page.get_by_label("Your name").fill("Ada Lovelace")
    page.get_by_label("Your e-mail").fill("ada@example.com")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Set up Hookyard").click()
    page.wait_for_url("**/start")
    return page.context.storage_state()


def _take(browser: Browser, url: str, cookies: object, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for theme in THEMES:
        for width_name, width in WIDTHS.items():
            context = browser.new_context(
                viewport={"width": width, "height": 900},
                color_scheme=theme,
                base_url=url,
                storage_state=cookies,  # type: ignore[arg-type]  # what storage_state gave
            )
            page = context.new_page()
            suffix = "" if (theme, width_name) == ("light", "wide") else f"-{theme}-{width_name}"
            for name, path in PAGES.items():
                page.goto(path)
                _picture(page, folder / f"{name}{suffix}.png")
            for name, path in OPENED.items():
                page.goto(path)
                page.locator("table a[href*='-']").first.click()
                page.wait_for_load_state("networkidle")
                _picture(page, folder / f"{name}{suffix}.png")
            context.close()


def _picture(page: Page, path: Path) -> None:
    page.wait_for_timeout(300)
    page.screenshot(path=path, animations="disabled")
    print(path)
