"""The status line and headers of an HTTP/1 answer, and what they say about where its body ends.

Strict where two readers could disagree about the end of the answer, lenient elsewhere: a receiver that answered 200
with one odd header has answered 200. The framing rules are those of RFC 9112, section 6.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_HEADERS = 256
SWITCHING_PROTOCOLS = 101
_WITHOUT_BODY = frozenset({204, 304})
_STATUS_LINE = re.compile(r"HTTP/1\.([0-9]) ([0-9]{3})(?: ([^\x00]*))?")
_DIGITS = re.compile(r"[0-9]{1,18}")


class NotHTTP(Exception):
    """What came is no valid HTTP/1 answer; the text is a sentence saying why."""


@dataclass(frozen=True, slots=True)
class Head:
    """The final status line and headers; *keeps_alive* when the connection may be used again after the body."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    keeps_alive: bool
    is_chunked: bool
    length: int | None
    """Bytes of the body; None when it is chunked or ends with the connection."""


def parse_head(section: bytes, *, method: str) -> Head:
    """Parse one header section; raise NotHTTP when it is none or when its framing contradicts itself."""
    lines = section.decode("latin-1").split("\n")
    status_line = _STATUS_LINE.fullmatch(lines[0].removesuffix("\r"))
    if not status_line:
        raise NotHTTP(f"The receiver's answer does not begin with a valid status line: {excerpt(lines[0])}.")
    if len(lines) - 1 > MAX_HEADERS:
        raise NotHTTP(f"The receiver's answer has more than {MAX_HEADERS} headers.")
    headers, has_strays = _fields(lines[1:])
    status = int(status_line[2])
    codings, lengths, options = _framing_fields(headers)
    length = _length(lengths, codings=codings)
    if method == "HEAD" or status in _WITHOUT_BODY or status < 200:  # noqa: PLR2004
        codings, length = [], 0
    return Head(
        status=status,
        reason=(status_line[3] or "").strip(),
        headers=headers,
        is_chunked=codings[-1:] == ["chunked"],
        length=length,
        keeps_alive=(
            status_line[1] != "0"
            and "close" not in options
            and not has_strays
            and status != SWITCHING_PROTOCOLS
            # Anything else ends with the connection, or its end is a guess (RFC 9112, section 6.3).
            and (length is not None if not codings else codings == ["chunked"] and not lengths)
        ),
    )


def _fields(lines: list[str]) -> tuple[tuple[tuple[str, str], ...], bool]:
    """Return name and value pairs, and whether there were lines that are no header (they are passed over)."""
    fields: list[tuple[str, str]] = []
    has_strays = False
    for line in lines:
        if line[:1] in {" ", "\t"} and fields:  # obsolete line folding
            name, value = fields[-1]
            fields[-1] = (name, f"{value} {line.strip()}")
            continue
        name, colon, value = line.partition(":")
        if colon and name and name == name.strip():
            fields.append((name, value.strip(" \t\r")))
        else:
            has_strays = True
    return tuple(fields), has_strays


def _framing_fields(headers: tuple[tuple[str, str], ...]) -> tuple[list[str], list[str], list[str]]:
    """Return the members of Transfer-Encoding, Content-Length and Connection, lower-cased, in order."""
    codings: list[str] = []
    lengths: list[str] = []
    options: list[str] = []
    members = {"transfer-encoding": codings, "content-length": lengths, "connection": options}
    for name, value in headers:
        found = members.get(name.lower())
        if found is not None:
            found += [member.strip().lower() for member in value.split(",")]
    return codings, lengths, options


def _length(lengths: list[str], *, codings: list[str]) -> int | None:
    """Return the length of the body in bytes, None when another rule tells its end; raise NotHTTP on nonsense."""
    if len(set(lengths)) > 1:
        raise NotHTTP("The receiver's answer has two Content-Length values that differ.")
    if lengths and not _DIGITS.fullmatch(lengths[0]):
        raise NotHTTP(f"The receiver's answer has a Content-Length that is no number: {excerpt(lengths[0])}.")
    return int(lengths[0]) if lengths and not codings else None


def excerpt(text: str | bytes | bytearray) -> str:
    """Quote the beginning of *text* in printable ASCII."""
    start = text[:40] if isinstance(text, str) else bytes(text[:40]).decode("latin-1")
    return ascii(start.rstrip("\r\n"))
