"""Requests as they come in: bytes are added as they arrive, and a request is given once all of it is there.

Nothing here waits, so no thread is held by somebody who sends half a request. Heads are read by Gunicorn's parser,
which alone decides how a body is framed; chunked bodies are joined here, within limits.
"""

from __future__ import annotations

import re
from io import BytesIO

from gunicorn.http.body import CHUNK_EXT_RE, ChunkedReader
from gunicorn.http.errors import (
    ChunkMissingTerminator,
    InvalidChunkSize,
    InvalidHeader,
    LimitRequestHeaders,
    LimitRequestLine,
    NoMoreData,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.http.message import Request
from gunicorn.http.unreader import Unreader

KIB, MIB = 1024, 1024 * 1024
LARGEST_LINE = 8190
LARGEST_HEAD = 32 * KIB
LARGEST_BODY = 16 * MIB
"""What /events/batch takes, the largest of all; the app has smaller limits for other paths."""
MOST_CHUNKS = 50_000
LARGEST_CHUNK_LINE = 256
LARGEST_TRAILER = 8 * KIB
END = b"\r\n\r\n"
_BARE_LINE_END = re.compile(rb"(?<!\r)\n")
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")


class BodyTooLarge(Exception):
    """A body is longer than any path takes."""


class _Head(Unreader):  # type: ignore[misc]  # Gunicorn ships no types
    """A head that is there as a whole: after it comes nothing."""

    def __init__(self, head: bytes) -> None:
        super().__init__()
        self.buf.write(head)

    def chunk(self, size_hint: int | None = None) -> bytes:  # noqa: ARG002  the name is Gunicorn's
        """Return nothing more."""
        return b""


class Incoming:
    """What one connection has sent and was not answered yet.

    *configuration* is Gunicorn's, *peer* the address and port of who sends.
    """

    def __init__(self, configuration: object, peer: tuple[str, int]) -> None:
        self._configuration, self._peer = configuration, peer
        self._data = bytearray()
        self._searched = 0
        self._request: Request | None = None
        self._length = 0
        self._chunks: _Chunks | None = None
        self._error: Exception | None = None

    def __len__(self) -> int:
        return len(self._data) + (len(self._chunks.body) if self._chunks else 0)

    @property
    def has_begun(self) -> bool:
        """Whether a part of a request is there."""
        return bool(self._data) or self._request is not None

    @property
    def head(self) -> Request | None:
        """The request whose body is still coming; None while there is no whole head."""
        return self._request

    def add(self, data: bytes) -> None:
        """Note what has come."""
        self._data += data

    def take(self) -> Request | None:
        """Return the next request with its whole body, None while it is not all there.

        Raise a ParseException of Gunicorn's for what is no request, BodyTooLarge for a body that no path takes; then
        for ever, since nobody knows where the next request would begin.
        """
        if self._error is not None:
            raise self._error
        try:
            return self._take()
        except (ParseException, BodyTooLarge) as error:
            self._error = error
            raise

    def _take(self) -> Request | None:
        request = self._request or self._take_head()
        if request is None:
            return None
        if self._chunks is not None:
            if not self._chunks.take(self._data, request):
                return None
            body = bytes(self._chunks.body)
            _announce(request, length=len(body))
        elif len(self._data) < self._length:
            return None
        else:
            body = bytes(self._data[: self._length])
            del self._data[: self._length]
        request.body = BytesIO(body)
        self._request = self._chunks = None
        self._length = self._searched = 0
        return request

    def take_expectation(self) -> bool:
        """Return, once, whether the peer waits for "100 Continue" before it sends its body."""
        request = self._request
        if request is None or not request._expected_100_continue:  # noqa: SLF001  Gunicorn tells it nowhere else
            return False
        request._expected_100_continue = False  # noqa: SLF001  as above: it would send another
        return True

    def _take_head(self) -> Request | None:
        """Read the head if it is whole, and return it."""
        end = self._data.find(END, max(0, self._searched - len(END)), LARGEST_HEAD)
        if end < 0:
            self._check_begun_head()
            self._searched = len(self._data)
            return None
        head = bytes(self._data[: end + len(END)])
        try:
            request = Request(self._configuration, _Head(head), self._peer)
        except NoMoreData as error:  # an empty line before a line that is none
            raise InvalidHeader("no request line") from error
        del self._data[: len(head)]
        reader = request.body.reader
        if isinstance(reader, ChunkedReader):
            codings = [value for name, value in request.headers if name == "TRANSFER-ENCODING"]
            if [coding.lower() for coding in codings] != ["chunked"]:  # Gunicorn lets packed bodies through as they are
                raise UnsupportedTransferCoding(", ".join(codings))
            self._chunks = _Chunks()
        else:
            self._length = reader.length
            if self._length > LARGEST_BODY:
                raise BodyTooLarge
        if self._length <= len(self._data) and self._chunks is None:
            request._expected_100_continue = False  # noqa: SLF001  who has sent the body waits for nothing
        self._request = request
        return request

    def _check_begun_head(self) -> None:
        """Raise what is wrong with a head whose end has not come."""
        if len(self._data) > LARGEST_LINE and self._data.find(b"\r\n", 2, LARGEST_LINE) < 0:
            raise LimitRequestLine(len(self._data), LARGEST_LINE)
        if len(self._data) >= LARGEST_HEAD:
            raise LimitRequestHeaders("the head is too long")
        if _BARE_LINE_END.search(self._data, max(0, self._searched - 1)):
            raise InvalidHeader("bare LF as line terminator")


class _Chunks:
    """A chunked body (RFC 9112, section 7.1) that is still coming."""

    def __init__(self) -> None:
        self.body = bytearray()
        self._count = 0
        self._size: int | None = None  # of the chunk that is being read

    def take(self, data: bytearray, request: Request) -> bool:
        """Move whole chunks from *data* into the body; return whether it has ended."""
        while True:
            if self._size is None and not self._begin(data):
                return False
            size = self._size or 0
            if size == 0:
                return self._take_trailer(data, request)
            if len(data) < size + 2:
                return False
            if data[size : size + 2] != b"\r\n":
                raise ChunkMissingTerminator(bytes(data[size : size + 2]))
            self.body += data[:size]
            del data[: size + 2]
            self._size = None

    def _begin(self, data: bytearray) -> bool:
        """Read the line with a chunk's size if it is whole; return whether it is."""
        end = data.find(b"\r\n", 0, LARGEST_CHUNK_LINE)
        if end < 0:
            if len(data) >= LARGEST_CHUNK_LINE:
                raise InvalidChunkSize(b"the line is too long")
            return False
        line = bytes(data[:end])
        size, extension, rest = line.partition(b";")
        if not (_SIZE.fullmatch(size.rstrip(b" \t")) and CHUNK_EXT_RE.fullmatch(extension + rest)):
            raise InvalidChunkSize(line)
        del data[: end + 2]
        self._size = int(size, 16)
        self._count += 1
        if len(self.body) + self._size > LARGEST_BODY or self._count > MOST_CHUNKS:
            raise BodyTooLarge
        return True

    @staticmethod
    def _take_trailer(data: bytearray, request: Request) -> bool:
        """Read what follows the last chunk, which is nothing but an empty line as a rule."""
        if data[:2] == b"\r\n":
            del data[:2]
            return True
        end = data.find(END, 0, LARGEST_TRAILER)
        if end < 0:
            if len(data) >= LARGEST_TRAILER:
                raise LimitRequestHeaders("the trailer is too long")
            return False
        request.parse_headers(bytes(data[:end]), from_trailer=True)
        del data[: end + len(END)]
        return True


def _announce(request: Request, *, length: int) -> None:
    """Give a request whose chunks were joined the head that it would have had in one piece."""
    request.headers = [(name, value) for name, value in request.headers if name != "TRANSFER-ENCODING"]
    request.headers.append(("CONTENT-LENGTH", str(length)))
