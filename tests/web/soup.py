"""Pages as they are read."""

from __future__ import annotations

from typing import Any

from bs4 import BeautifulSoup


def soup_of(answer: Any) -> BeautifulSoup:
    return BeautifulSoup(answer.text, "html.parser")


def words_of(part: Any, selector: str = "") -> str:
    """Give the words of a part of a page, or of what *selector* finds in it, one space between two."""
    part = part.select_one(selector) if selector else part
    return " ".join(part.get_text(" ", strip=True).split())
