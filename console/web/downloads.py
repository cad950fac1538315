"""Bytes of strangers: shown as text when they are some, and downloaded in a way that no browser runs them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from flask import Response

from console.core.bodies import SHOWN_BYTES, DisplayBody, display_body
from console.core.redact import visible

_FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The wide forms too: some spreadsheets take them for the narrow ones."""


@dataclass(frozen=True, slots=True)
class Readable:
    """A body for a pane: *text* is empty when there is nothing to read, and *note* says why, or what is missing."""

    text: str
    note: str
    size: int


def readable(data: bytes | None, *, headers: Iterable[tuple[str, str]] = ()) -> Readable:
    """Return a body for a pane: at most 64 KiB of it, decoded as *headers* say, else as UTF-8."""
    data = data or b""
    shown = display_body(headers, data)
    if len(data) > SHOWN_BYTES and not shown.note:
        shown = replace(shown, note="Only the beginning is shown. Download it to see all.")
    return readable_text(shown, size=len(data))


def readable_text(shown: DisplayBody, *, size: int) -> Readable:
    """Return what is shown of a body of *size* bytes for a pane; bytes that are no text are not shown."""
    if not size:
        return Readable("", shown.note or "No body", 0)
    if not shown.is_text:
        return Readable("", "These bytes are no text, so they are not shown. Download them instead.", size)
    return Readable(shown.text, visible(shown.note or ""), size)


def csv_file(header: Sequence[str], rows: Iterable[Sequence[str]], *, name: str) -> Response:
    """Return a table as CSV (RFC 4180) in UTF-8; no cell is taken for a formula by a spreadsheet.

    The byte order mark at the beginning tells Excel that it is UTF-8: without it, "Grüße" is garbled there.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    writer.writerows([_plain_cell(cell) for cell in row] for row in rows)
    return attachment(out.getvalue().encode("utf-8-sig"), name=name)


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
