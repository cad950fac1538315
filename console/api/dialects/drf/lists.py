"""The query of a list: filters, and pages by number."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import request

from console.api.dialects.drf.answers import NO_SUCH_PAGE, ErrorAnswer, base_url, not_found
from console.api.dialects.drf.fields import NUL
from console.api.dialects.drf.texts import LARGEST, read_uuid

NO_ROW = -1
"""A number that no row has: what a filter by 1.5 asks for."""

_DIGITS = re.compile(r"\s*\+?([0-9]+)\s*", re.ASCII)
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def parameter(name: str) -> str | None:
    """Give a parameter of the query, trimmed; the last one counts, and an empty one is none."""
    values = request.args.getlist(name)
    return values[-1].strip() or None if values else None


class Filters:
    """The filters of a list. Each reader gives None when its parameter is not there; ``finish`` refuses wrong ones."""

    def __init__(self) -> None:
        self._wrong: dict[str, list[str]] = {}

    def text(self, name: str) -> str | None:
        """Read any text."""
        words = parameter(name)
        if words and "\x00" in words:
            self.reject(name, NUL)
            return None
        return words

    def boolean(self, name: str) -> bool | None:
        """Read true, false, 1 or 0; anything else filters nothing."""
        return _FLAGS.get((parameter(name) or "").lower())

    def uuid(self, name: str) -> UUID | None:
        """Read a UUID, dashed or not."""
        words = parameter(name)
        found = read_uuid(words) if words is not None else None
        if words is not None and found is None:
            self.reject(name, "Enter a valid UUID.")
        return found

    def number(self, name: str) -> int | None:
        """Read a number; one that is not whole, or beyond what a column holds, is NO_ROW."""
        words = parameter(name)
        if words is None:
            return None
        try:
            number = Decimal(words)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite():
            self.reject(name, "Enter a number.")
            return None
        is_whole = abs(number) <= LARGEST and number == number.to_integral_value()
        return int(number) if is_whole else NO_ROW

    def moment(self, name: str) -> datetime | None:
        """Read a date and time of ISO 8601; without a zone it is in UTC."""
        words = parameter(name)
        if words is None:
            return None
        try:
            found = datetime.fromisoformat(words)
            return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        except (ValueError, OverflowError):
            self.reject(name, "Enter a valid date/time.")
            return None

    def choice(self, name: str, options: Collection[str]) -> str | None:
        """Read one of *options*."""
        words = parameter(name)
        if words is not None and words not in options:
            self.reject(name, f"Select a valid choice. {words} is not one of the available choices.")
            return None
        return words

    def reject(self, name: str, message: str) -> None:
        """Say that a filter is wrong."""
        self._wrong[name] = [message]

    def finish(self) -> None:
        """Raise ErrorAnswer with all that is wrong."""
        if self._wrong:
            raise ErrorAnswer(400, self._wrong)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list of *count* rows. Pages are numbered from 1, and there is always a first."""

    number: int
    size: int
    count: int

    @property
    def offset(self) -> int:
        """How many rows stand before it."""
        return (self.number - 1) * self.size

    @property
    def last(self) -> int:
        """The number of the last page."""
        return max(1, -(-self.count // self.size))

    def of(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Give the rows of this page from all *rows*."""
        return rows[self.offset : self.offset + self.size]

    @property
    def next(self) -> str | None:
        """The address of the next page."""
        return link_to(self.number + 1) if self.number < self.last else None

    @property
    def previous(self) -> str | None:
        """The address of the page before."""
        return link_to(self.number - 1) if self.number > 1 else None

    def envelope(self, results: list[Any]) -> dict[str, Any]:
        """Give the answer that holds *results* between the addresses of its neighbours."""
        return {"count": self.count, "next": self.next, "previous": self.previous, "results": results}

    def link_header(self) -> str:
        """Give the addresses of the first and last page and of the neighbours, as RFC 8288 writes them.

        Clients split the header at commas; ``urlencode`` leaves none in an address.
        """
        links = {"first": link_to(1), "prev": self.previous, "next": self.next, "last": link_to(self.last)}
        return ", ".join(f'<{address}>; rel="{name}"' for name, address in links.items() if address is not None)


def page_of(count: int, *, usual: int, largest: int) -> Page:
    """Read which page of a list of *count* rows is asked for; raise ErrorAnswer when there is no such page."""
    page = Page(_number("page", otherwise=None), min(_number("page_size", otherwise=usual) or usual, largest), count)
    if not 1 <= page.number <= page.last:
        raise not_found(NO_SUCH_PAGE)
    return page


def _number(name: str, *, otherwise: int | None) -> int:
    """Read a parameter; *otherwise* stands for one that is no number, None lets it be an error."""
    words = parameter(name)
    if words is None:
        return otherwise or 1
    found = _DIGITS.fullmatch(words)
    if found is not None:
        return int(found[1][-1000:]) if len(found[1].lstrip("0")) <= 18 else LARGEST  # noqa: PLR2004  64 bits
    if otherwise is None:
        raise not_found(NO_SUCH_PAGE)
    return otherwise


def link_to(number: int) -> str:
    """Give the address of a page of this list: the query is kept, sorted by name; the first has no ``page``."""
    query = {name: values[-1] for name, values in request.args.lists() if name != "page"}
    if number > 1:
        query["page"] = str(number)
    address = f"{base_url()}{request.path}"
    return f"{address}?{urlencode(sorted(query.items()))}" if query else address
