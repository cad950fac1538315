"""A receiver's body as text for people: unpacked and decoded within limits, never the bytes that count elsewhere."""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message

SHOWN_BYTES = 64 * 1024
LONGEST_CONTENT_TYPE = 1000
"""So much of a Content-Type is read: a receiver may send 256 KiB, and reading takes the square of the length."""
_ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS
_UNPACKED = frozenset({"gzip", "x-gzip", "deflate"})
# By the name Python gives them. Python has codecs that are no character sets, and some that are very slow.
_CHARSETS = frozenset(
    {"ascii", "big5", "cp932", "euc_jp", "euc_kr", "gb18030", "gb2312", "gbk", "koi8-r", "koi8-u", "shift_jis"}
    | {"utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-16-le"}
    | {f"cp{number}" for number in range(1250, 1259)}
    | {f"iso8859-{number}" for number in range(1, 17)}
)
# A mark at the beginning is believed before any header, as browsers do (WHATWG Encoding, section 6).
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffd]")
MOST_UNREADABLE = 0.1
"""A text with a larger share of control characters and replaced bytes is binary to a reader."""


@dataclass(frozen=True, slots=True)
class DisplayBody:
    """What can be shown of a body; *is_text* is false when it looks binary, *note* is sentences or None."""

    text: str
    is_text: bool
    note: str | None = None


def display_body(headers: Iterable[tuple[str, str]], body: bytes, *, is_cut: bool = False) -> DisplayBody:
    """Return *body* as text of at most 64 KiB, unpacked and decoded as its *headers* say.

    *is_cut*: the end of the body was not kept, so that its last character may be incomplete. Never raises: a wrong
    claim in the headers gives a note and a readable rest. The text may still hold control characters; whoever shows it
    makes them visible.
    """
    named = {name.lower(): value for name, value in headers}
    data, note = _unpacked(body, coding=named.get("content-encoding", "").strip().lower())
    charset = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    charset = charset or _charset(named.get("content-type", ""))
    text, was_replaced = _decoded(data, charset=charset, is_whole=not is_cut and len(body) <= SHOWN_BYTES and not note)
    if was_replaced:
        replaced = f"Some bytes are not valid {charset.removesuffix('-sig').upper()} and are shown as \ufffd."
        note = f"{note} {replaced}" if note else replaced
    is_text = len(_UNREADABLE.findall(text)) <= len(text) * MOST_UNREADABLE
    return DisplayBody(text, is_text=is_text, note=note)


def _decoded(data: bytes, *, charset: str, is_whole: bool) -> tuple[str, bool]:
    """Return the text, and whether bytes had to be replaced; an incomplete last character of a part is left out."""
    try:
        return codecs.getincrementaldecoder(charset)("strict").decode(data, is_whole), False
    except UnicodeError:
        return codecs.getincrementaldecoder(charset)("replace").decode(data, is_whole), True


def _unpacked(body: bytes, *, coding: str) -> tuple[bytes, str | None]:
    if coding in {"", "identity"} or not body:
        return body[:SHOWN_BYTES], None
    if coding not in _UNPACKED:
        return body[:SHOWN_BYTES], f"The body is shown as it came: it is encoded as {coding[:40]!a}."
    try:
        data = _inflate(body, wbits=_ZLIB_OR_GZIP)
    except zlib.error:
        try:
            data = _inflate(body, wbits=-zlib.MAX_WBITS)  # "deflate" without the zlib wrapper, as some send it
        except zlib.error:
            return body[:SHOWN_BYTES], f"The body is shown as it came: it claims to be {coding}, and is not."
    if len(data) > SHOWN_BYTES:
        return data[:SHOWN_BYTES], "Only the first 64 KiB of the unpacked body are shown."
    return data, None


def _inflate(body: bytes, *, wbits: int) -> bytes:
    """Unpack at most one byte more than is shown."""
    return zlib.decompressobj(wbits=wbits).decompress(body, SHOWN_BYTES + 1)


def _charset(content_type: str) -> str:
    """Return the charset parameter of *content_type* as Python names it; UTF-8 when there is none or a strange one."""
    message = Message()
    message["Content-Type"] = "".join(char for char in content_type[:LONGEST_CONTENT_TYPE] if char.isprintable())
    try:
        name = codecs.lookup(message.get_content_charset("utf-8")).name
    except (LookupError, ValueError):
        return "utf-8"
    return name if name in _CHARSETS else "utf-8"
