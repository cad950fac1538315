"""Lists in pages, newest first.

A cursor is the number of the last row seen, so nothing is skipped or repeated while new rows arrive.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

LONGEST_PAGE = 100
USUAL_PAGE = 50
CURSOR = r"^[A-Za-z0-9_-]{11}$"
"""Any text of this form is a cursor; it is not for reading."""

_LARGEST = 2**63 - 1
Row = TypeVar("Row", bound="Numbered")
Shown = TypeVar("Shown")


class Numbered(Protocol):
    """A row that pages are made of."""

    @property
    def number(self) -> int: ...  # noqa: D102


def before(cursor: str | None) -> int | None:
    """Give the number that the rows of the page must be below; None: the page is the first."""
    if cursor is None:
        return None
    return int.from_bytes(urlsafe_b64decode(f"{cursor}="), "big") & _LARGEST


def cursor_after(row: Numbered) -> str:
    """Give the cursor of the page that follows *row*."""
    return urlsafe_b64encode(row.number.to_bytes(8, "big")).decode().rstrip("=")


def page(rows: Sequence[Row], *, limit: int, shown: Callable[[Row], Shown]) -> dict[str, list[Shown] | str | None]:
    """Make the answer of a list from up to ``limit + 1`` rows: the one too many only says that there is a next page."""
    kept = rows[:limit]
    return {
        "data": [shown(row) for row in kept],
        "next_cursor": cursor_after(kept[-1]) if len(rows) > limit else None,
    }
