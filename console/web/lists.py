"""What all long lists share: cursors in the query string, Newer and Older, chips of the filters in force."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from flask import Response, request

from console.core.redact import visible
from console.models import AuditEntry, Bin, BinRequest, Delivery, Event, Membership, Replay, Source, Token, User
from console.web import times, typed
from console.web.filters import with_query

PAGE = 50
MOST_DIGITS = 18
CURSORS = frozenset({"before", "after"})
PASSING = CURSORS | {typed.PARAMETER}
"""Parameters that no address of a list keeps."""


Numbered: TypeAlias = AuditEntry | Bin | BinRequest | Delivery | Event | Membership | Replay | Source | Token | User
"""Rows with a number that only grows, by which the lists turn their pages."""

R = TypeVar("R", bound=Numbered)


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter in force, and the address of the list without it."""

    label: str
    value: str
    remove_url: str


@dataclass(frozen=True, slots=True)
class Preset:
    """One choice of a row of links."""

    label: str
    url: str
    current: bool


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """A part of a list, newest first; *newer* and *older* are addresses, empty at the ends."""

    rows: Sequence[R]
    newer: str = ""
    older: str = ""


def cursor(name: str) -> int | None:
    """Read a cursor from the query string; anything that is none counts as absent."""
    text = request.args.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS else None


def turn(
    find: Callable[[int | None, int | None, int], Sequence[R]], *, limit: int = PAGE, is_one_way: bool = False
) -> Page[R]:
    """Give the part that the cursors of this request name; *find* is called with before, after and how many rows.

    ``after`` gives the page next to what the reader came from; when that is the top of the list, its first page.
    A list that *is_one_way* knows no ``after``: Newer then leads to its first page.
    """
    before, after = cursor("before"), cursor("after")
    if after is not None and before is None and not is_one_way:
        rows = find(None, after, limit + 1)
        if len(rows) > limit:
            rows = rows[1:]
            return Page(rows, newer=_at(after=rows[0].number), older=_at(before=rows[-1].number))
    rows = find(before, None, limit + 1)
    shown = rows[:limit]
    newer = ""
    if before is not None and shown:
        newer = here() if is_one_way else _at(after=shown[0].number)
    return Page(shown, newer=newer, older=_at(before=shown[-1].number) if len(rows) > limit else "")


def _at(*, before: int | None = None, after: int | None = None) -> str:
    return here(before=before, after=after)


def here(**changes: object) -> str:
    """Give the address of this list with some parameters changed, without empty ones, at its first page."""
    return address(request.path, **changes)


def address(path: str, **changes: object) -> str:
    """Give *path* with the filters of this request, of which some are changed.

    The query string is a stranger's: it goes into the address as text, never as keyword arguments of ``url_for``,
    which would take ``_external`` or ``_scheme`` for its own.
    """
    kept = {
        name: values
        for name, values in request.args.to_dict(flat=False).items()
        if name not in PASSING and any(value.strip() for value in values)
    }
    return with_query(path, times.with_offsets(kept), **changes)


def chips(labels: Mapping[str, tuple[str, str]], **changes: object) -> list[Chip]:
    """Make a chip for each filter in force: *labels* maps its parameters to what it is called and its value in words.

    Several parameters that make up one filter are separated by spaces. *changes* are what else the addresses say.
    """
    return [
        Chip(label, visible(value), here(**{**dict.fromkeys(names.split()), **changes}))
        for names, (label, value) in labels.items()
        if value
    ]


def push_clean_url(response: Response) -> Response:
    """Let htmx write the address without the parameters that a form sends empty."""
    response.headers["HX-Push-Url"] = here(before=request.args.get("before"), after=request.args.get("after"))
    return response
