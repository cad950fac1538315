"""Reading ids and numbers from paths, queries and fields: only their plain spellings, so that all read them alike."""

from __future__ import annotations

import re
from uuid import UUID

LARGEST = 2**63 - 1
_UUID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]{1,4000}", re.ASCII)


def read_uuid(text: str) -> UUID | None:
    """Read 32 hexadecimal digits, with the usual dashes or without any; anything else is none."""
    return UUID(text) if _UUID.fullmatch(text) else None


def read_number(text: str) -> int | None:
    """Read a number of a row: digits only, and no more than a database column holds."""
    number = int(text) if _DIGITS.fullmatch(text) else None
    return number if number is not None and number <= LARGEST else None
