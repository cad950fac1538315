"""Bytes of strangers: shown as text when they are some, and downloaded in a way that no browser runs them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flask import Response

SHOWN_CHARACTERS = 64 * 1024
_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffd]")
_FORMULA_STARTS = ("=", "+", "-", "@")
MOST_UNREADABLE = 0.1
"""A text with a larger share of control characters is binary to a reader."""


@dataclass(frozen=True, slots=True)
class Readable:
    """A body for a pane: *text* is empty when there is nothing to read, and *note* says why, or what is missing."""

    text: str
    note: str
    size: int


def readable(data: bytes | None) -> Readable:
    """Make a body readable: UTF-8, at most 64 KiB of it; bytes that are no text are not shown."""
    if not data:
        return Readable("", "No body", 0)
    text = data.decode("utf-8", "replace")
    if len(_UNREADABLE.findall(text)) > len(text) * MOST_UNREADABLE:
        return Readable("", "These bytes are no text, so they are not shown. Download them instead.", len(data))
    note = ""
    if len(text) > SHOWN_CHARACTERS:
        text, note = text[:SHOWN_CHARACTERS], "Only the beginning is shown. Download it to see all."
    elif "\ufffd" in text:
        note = "Some bytes are no UTF-8 and are shown as \ufffd."
    return Readable(text, note, len(data))


def csv_file(header: Sequence[str], rows: Iterable[Sequence[str]], *, name: str) -> Response:
    """Answer a table as CSV (RFC 4180) in UTF-8; no cell is taken for a formula by a spreadsheet."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    writer.writerows([_plain_cell(cell) for cell in row] for row in rows)
    return attachment(out.getvalue().encode(), name=name)


def _plain_cell(text: str) -> str:
    return f"'{text}" if text.lstrip().startswith(_FORMULA_STARTS) or text.startswith(("\t", "\r", "\n")) else text


def attachment(data: bytes, *, name: str) -> Response:
    """Answer *data* as a file named *name* (of ours, plain ASCII); browsers neither open nor sniff it."""
    response = Response(data, mimetype="application/octet-stream")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["Cache-Control"] = "no-store"
    return response
