"""Lists in pages, newest first.

A cursor is the number of the last row seen, so nothing is skipped or repeated while new rows arrive. It carries a stamp
of the list that it was made for: one that was made up, or taken from another list, would quietly give the wrong rows.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from flask import request

from console.core.errors import Invalid
from console.extensions import current_work

LONGEST_PAGE = 100
USUAL_PAGE = 50
CURSOR = r"^[A-Za-z0-9_-]{22}$"
"""The form of a cursor: 8 bytes of a number and 8 of a stamp, in the base64 of URLs."""

_NUMBER_SIZE = 8
Row = TypeVar("Row", bound="Numbered")
Shown = TypeVar("Shown")


class Numbered(Protocol):
    """A row that pages are made of."""

    @property
    def number(self) -> int: ...  # noqa: D102


def before(cursor: str | None) -> int | None:
    """Return the number that the rows of the page must be below; None: the page is the first.

    Raise Invalid for a cursor that this list did not give.
    """
    if cursor is None:
        return None
    written = urlsafe_b64decode(f"{cursor}==")
    number, stamp = written[:_NUMBER_SIZE], written[_NUMBER_SIZE:]
    if not current_work().keys.stamped(_stamped(number), stamp):
        raise Invalid.field(
            "cursor",
            "This list did not give that cursor. "
            "Use the next_cursor of its previous page, or leave it out to begin anew.",
            code="cursor",
        )
    return int.from_bytes(number, "big")


def cursor_after(row: Numbered) -> str:
    """Return the cursor of the page that follows *row*."""
    number = row.number.to_bytes(_NUMBER_SIZE, "big")
    return urlsafe_b64encode(number + current_work().keys.stamp(_stamped(number))).decode().rstrip("=")


def _stamped(number: bytes) -> bytes:
    """Return what the stamp of a cursor is made of: it holds for the list at the path of this request alone."""
    return request.path.encode() + b"\x00" + number


def page(rows: Sequence[Row], *, limit: int, shown: Callable[[Row], Shown]) -> dict[str, list[Shown] | str | None]:
    """Make the answer of a list from up to ``limit + 1`` rows: the one too many only says that there is a next page."""
    kept = rows[:limit]
    return {
        "data": [shown(row) for row in kept],
        "next_cursor": cursor_after(kept[-1]) if len(rows) > limit else None,
    }
