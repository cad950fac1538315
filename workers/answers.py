"""Read one HTTP/1 answer from a wire: strictly where framing is at stake, leniently elsewhere, and always bounded.

http.client is not used for this: it reads endless header lines and interim answers, takes a 102 for the final answer,
accepts contradicting lengths, and holds a body of any size. RFC 9112 is the source of the framing rules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from time import monotonic

from workers.heads import SWITCHING_PROTOCOLS, Head, NotHTTP, excerpt, parse_head
from workers.wire import TimeUp, Wire

KIB = 1024
MAX_BODY_BYTES = 64 * KIB
MAX_HEADER_BYTES = 256 * KIB
"""Of all header sections of one answer together: interim answers, the final one, trailers."""
MAX_INTERIM = 10
_MAX_CHUNK_LINE_BYTES = 4 * KIB
_RECV_BYTES = 16 * KIB

_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?\r?")


class Ended(Exception):
    """The stream ended before the answer did."""


@dataclass(frozen=True, slots=True)
class Body:
    """What was kept of a body, at most 64 KiB.

    *note* is a sentence when something was wrong with it; *is_clean* when the answer ended exactly where it should.
    """

    data: bytes
    truncated: bool = False
    note: str | None = None
    is_clean: bool = False


class AnswerReader:
    """Reads the answer to one request; *heard_at* is the monotonic time of its first byte."""

    __slots__ = ("_buffer", "_header_bytes", "_wire", "heard_at")

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._buffer = bytearray()
        self._header_bytes = 0
        self.heard_at: float | None = None

    def listen(self) -> bool:
        """Take in what the other side says while we are still sending; True when it has answered or hung up."""
        data = self._wire.recv_now(_RECV_BYTES)
        if data is None:
            return False
        self._take_in(data)
        text = self._buffer
        if len(text) > MAX_HEADER_BYTES or not data:
            return True
        start = 0
        while end := _END_OF_HEAD.search(text, start):
            if not re.match(rb"HTTP/1\.[0-9] 1(?!01)", text[start : start + 12]):
                return True
            start = end.end()
        return not text.startswith(b"HTTP/"[: len(text)])

    def head(self, *, method: str) -> Head:
        """Read up to the end of the final headers.

        Raise NotHTTP, Ended, TimeUp, or the OSError of a broken connection.
        """
        for _ in range(MAX_INTERIM + 1):
            head = parse_head(self._head_bytes(), method=method)
            if head.status >= 200 or head.status == SWITCHING_PROTOCOLS or head.status < 100:  # noqa: PLR2004
                return head
        raise NotHTTP(f"The receiver sent more than {MAX_INTERIM} interim (1xx) answers instead of a final one.")

    def body(self, head: Head) -> Body:
        """Read the body that belongs to *head*, as far as it comes; whatever befalls it is only noted."""
        kept = bytearray()
        try:
            if head.is_chunked:
                self._chunks(kept)
            elif head.length is None:
                self._until_end(kept)
            else:
                self._exactly(head.length, kept=kept)
        except _Cut:
            note = "Only the first 64 KiB of the answer's body were kept."
        except _Broken as broken:
            note = str(broken)
        except TimeUp:
            note = "The answer's body had not ended when the time was up."
        except Ended:
            note = "The connection was closed before the answer's body was complete."
        except OSError:
            note = "The connection broke before the answer's body was complete."
        else:
            has_more = bool(self._buffer)
            note_more = "The receiver sent more bytes after its answer; they were discarded." if has_more else None
            return Body(bytes(kept), note=note_more, is_clean=head.keeps_alive and not has_more)
        return Body(bytes(kept), truncated=True, note=note)

    def _take_in(self, data: bytes) -> None:
        if self.heard_at is None and data:
            self.heard_at = monotonic()
        self._buffer += data

    def _more(self) -> None:
        """Wait for more bytes; raise Ended when there are none."""
        data = self._wire.recv(_RECV_BYTES)
        if not data:
            raise Ended
        self._take_in(data)

    def _head_bytes(self) -> bytes:
        """Return one header section without its final empty line."""
        buffer = self._buffer
        searched = 0
        while not (end := _END_OF_HEAD.search(buffer, max(0, searched - 3))):
            if not b"HTTP/".startswith(buffer[:5]):
                raise NotHTTP(f"The receiver does not speak HTTP/1.1: it began with {excerpt(buffer)}.")
            searched = len(buffer)
            self._count_header_bytes(searched, is_final=False)
            self._more()
        section = bytes(buffer[: end.start()])
        self._count_header_bytes(end.end(), is_final=True)
        del buffer[: end.end()]
        return section

    def _count_header_bytes(self, count: int, *, is_final: bool) -> None:
        if self._header_bytes + count > MAX_HEADER_BYTES:
            raise NotHTTP("The headers of the answer are longer than 256 KiB.")
        if is_final:
            self._header_bytes += count

    def _exactly(self, length: int, *, kept: bytearray) -> None:
        """Move *length* bytes into *kept*; raise _Cut once it is full and more was announced."""
        buffer = self._buffer
        while length:
            if not buffer:
                self._more()
            if len(kept) >= MAX_BODY_BYTES:
                raise _Cut
            count = min(length, len(buffer), MAX_BODY_BYTES - len(kept))
            kept += buffer[:count]
            del buffer[:count]
            length -= count

    def _until_end(self, kept: bytearray) -> None:
        try:
            while True:
                self._exactly(1, kept=kept)
                self._exactly(min(len(self._buffer), MAX_BODY_BYTES), kept=kept)
        except Ended:
            return

    def _chunks(self, kept: bytearray) -> None:
        """Decode the chunked coding (RFC 9112, section 7.1) into *kept*, and read its trailers away."""
        while True:
            size_line = _CHUNK_SIZE.fullmatch(self._line(_MAX_CHUNK_LINE_BYTES))
            if not size_line:
                raise _Broken("The answer's body broke the rules of chunked transfer.")
            size = int(size_line[1], 16)
            if not size:
                break
            self._exactly(size, kept=kept)
            if self._line(_MAX_CHUNK_LINE_BYTES) not in {b"", b"\r"}:
                raise _Broken("The answer's body broke the rules of chunked transfer.")
        left = MAX_HEADER_BYTES - self._header_bytes
        while (line := self._line(left)) not in {b"", b"\r"}:
            left -= len(line) + 1

    def _line(self, limit: int) -> bytes:
        """Return the next line without its newline; raise _Broken when it is longer than *limit* bytes."""
        buffer = self._buffer
        searched = 0
        while (end := buffer.find(b"\n", searched)) < 0:
            searched = len(buffer)
            if searched > limit:
                break
            self._more()
        if not 0 <= end <= limit:
            raise _Broken("The chunk sizes or trailers of the answer's body do not end.")
        line = bytes(buffer[:end])
        del buffer[: end + 1]
        return line


class _Cut(Exception):
    """The body is longer than what is kept."""


class _Broken(Exception):
    """The body breaks its own framing; the text is a sentence."""
