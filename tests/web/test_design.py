"""What holds the look together: contrast in both themes, nothing inline, nothing from elsewhere, the pinned htmx."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from itertools import product
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from console.paths import STATIC, TEMPLATES

CSS = (STATIC / "console.css").read_text()
SCRIPTS = {name: (STATIC / name).read_text() for name in ("console.js", "keys.js", "live.js")}
PAGES = sorted(TEMPLATES.rglob("*.html"))
HTMX = STATIC / "vendor" / "htmx.org@2.0.11"
TOKENS = {
    name: {"light": light, "dark": dark}
    for name, light, dark in re.findall(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", CSS)
}
THEMES = ("light", "dark")

GROUNDS = ("paper", "surface", "raised", "sunken")
TEXT_ON_GROUND = [*product(("ink", "ink-soft", "accent", "accent-strong", "bad"), GROUNDS)]
TEXT_ON_COLOUR = [
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("on-bad", "bad-fill"),
    ("accent-strong", "accent-wash"),
    ("accent", "accent-wash"),
    ("ink-soft", "accent-wash"),
    ("ink-soft", "off-wash"),
    ("ink", "segment"),
    *((tone, f"{tone}-wash") for tone in ("good", "wait", "bad", "hold")),
    *(("ink", f"{tone}-wash") for tone in ("good", "wait", "bad", "hold", "off")),
    *((tone, "surface") for tone in ("good", "wait", "bad", "hold")),
    *((tone, "sunken") for tone in ("good", "wait", "hold")),
]
PARTS = [
    *product(("control", "accent"), ("surface", "paper")),
    *((name, "surface") for name in TOKENS if name.startswith("chart-")),
]


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb`` (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str, *, theme: str) -> float:
    """Contrast ratio of two tokens in a theme, from 1 to 21."""
    low, high = sorted(luminance(TOKENS[name][theme]) for name in (one, other))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("text", "ground"), TEXT_ON_GROUND + TEXT_ON_COLOUR)
def test_text_stands_out_from_its_ground(text: str, ground: str, theme: str) -> None:
    assert contrast(text, ground, theme=theme) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("part", "ground"), PARTS)
def test_controls_and_chart_parts_stand_out_from_their_ground(part: str, ground: str, theme: str) -> None:
    assert contrast(part, ground, theme=theme) >= 3


def test_every_colour_of_the_components_is_a_token() -> None:
    components = CSS[CSS.index("@layer components {") :]

    strays = re.findall(r"#[0-9a-f]{3,8}\b(?!-)", re.sub(r'url\("data:[^"]*"\)', "", components))

    assert strays == []


def test_every_token_that_is_used_exists() -> None:
    defined = set(re.findall(r"(--[a-z0-9-]+)\s*:", CSS))

    assert set(re.findall(r"var\((--[a-z0-9-]+)", CSS)) <= defined


def test_the_braces_of_the_stylesheet_balance() -> None:
    assert CSS.count("{") == CSS.count("}")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_templates_have_nothing_inline(page: Path) -> None:
    source = page.read_text()
    text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", source, flags=re.DOTALL)

    assert not re.search(r"<style\b|\sstyle\s*=", text)
    assert not re.search(r"\son[a-z]+\s*=", text), "no event handlers"
    assert not re.search(r"\bhx-on\b|\bhx-vals=['\"]js:|javascript:", text), "nothing that evaluates"
    assert all("src=" in tag for tag in re.findall(r"<script\b[^>]*>", text))
    assert "|safe" not in source.replace(" ", "")


@pytest.mark.parametrize(
    "page",
    [*PAGES, STATIC / "console.css", *(STATIC / name for name in SCRIPTS)],
    ids=lambda path: path.name,
)
def test_nothing_is_loaded_from_elsewhere(page: Path) -> None:
    loads = re.findall(
        r"(?:src|href|action|url\(|@import)\s*[=(]?\s*['\"]?((?:https?:)?//[^'\")\s]+)", page.read_text()
    )

    assert loads == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_evaluate_nothing_and_stay_small(name: str) -> None:
    assert not re.search(r"\beval\(|new Function|innerHTML|insertAdjacentHTML|document\.write", SCRIPTS[name])
    assert SCRIPTS[name].count("\n") <= 170


def test_scripts_keep_to_their_budget() -> None:
    assert sum(len(gzip.compress(text.encode(), 9)) for text in SCRIPTS.values()) <= 9 * 1024


def test_htmx_is_the_pinned_file() -> None:
    for line in (HTMX / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((HTMX / name).read_bytes()).hexdigest() == digest
    assert (
        hashlib.sha256((HTMX / "htmx.min.js").read_bytes()).hexdigest()
        == "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
    )
    assert "Zero-Clause BSD" in (HTMX / "LICENSE").read_text()


def test_htmx_keeps_no_history_and_evaluates_nothing() -> None:
    head = (TEMPLATES / "head.html").read_text()
    found = re.search(r"name=\"htmx-config\"\s+content='([^']+)'", head)

    assert found is not None
    config = json.loads(found[1])
    assert config["historyCacheSize"] == 0
    assert config["allowEval"] is config["allowScriptTags"] is config["includeIndicatorStyles"] is False
    assert config["selfRequestsOnly"] is config["disableInheritance"] is True
    assert {rule["code"]: rule["swap"] for rule in config["responseHandling"]} == {
        "204": False,
        "[23]..": True,
        "422": True,
        "[45]..": False,
    }


def shapes() -> set[str]:
    """Return the ids of the sprite."""
    root = ET.parse(STATIC / "icons.svg").getroot()  # noqa: S314 # our own file
    return {symbol.attrib["id"] for symbol in root}


def test_the_sprite_has_at_most_twenty_shapes() -> None:
    assert 0 < len(shapes()) <= 20


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_every_icon_that_a_template_names_is_in_the_sprite(page: Path) -> None:
    assert set(re.findall(r"\bicon\(['\"]([a-z]+)['\"]", page.read_text())) <= shapes()
