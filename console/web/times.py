"""Times in addresses and in fields.

A browser sends a field for date and time without a zone. Addresses that people see and share say the same time in UTC
(``…Z``), so that it is the same for a reader in another zone; fields show it in the reader's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import cast

from flask import g

from console.core.moments import moment_of

NAMES = frozenset({"since", "from", "until"})
"""The parameters that hold a time, in every address of the console."""

_UNENCODED_PLUS = re.compile(r"(?<=:\d\d) (?=\d\d:?\d\d$)")
"""Where the plus of an offset was: written into an address by hand, it arrives as a space."""


def zone() -> tzinfo:
    """Return the reader's time zone."""
    return cast("tzinfo", g.get("zone") or UTC)


def read(text: str) -> datetime:
    """Return the time that *text* names, in UTC; without an offset it is the reader's. Raise ValueError."""
    return moment_of(_UNENCODED_PLUS.sub("+", text), zone=zone())


def local(moment: datetime | None) -> str:
    """Return *moment* as a field for date and time takes it, in the reader's zone; empty for None."""
    return _written(moment.astimezone(zone())) if moment else ""


def field_value(text: str) -> str:
    """Return what a field for date and time shows for the *text* of an address; empty when that is no time."""
    try:
        return local(read(text))
    except ValueError:
        return ""


def with_offset(text: str) -> str:
    """Return *text* for an address: in UTC with its ``Z`` when it is a time without an offset, else as it is."""
    try:
        is_local = datetime.fromisoformat(text.upper()).tzinfo is None
        return _written(read(text)) + "Z" if is_local else text
    except ValueError:
        return text


def with_offsets(query: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return the parameters of an address with an offset at every time."""
    return {
        name: [with_offset(text.strip()) for text in texts] if name in NAMES else texts for name, texts in query.items()
    }


def _written(moment: datetime) -> str:
    """Return date and time without a zone, with as much of the seconds as there is."""
    precision = "microseconds" if moment.microsecond else "seconds" if moment.second else "minutes"
    return moment.replace(tzinfo=None).isoformat(timespec=precision)
