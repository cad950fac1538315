"""Compressed answers (RFC 9110, section 8.4): static files once a process, pages where nobody can listen for lengths.

A page holds secrets beside what strangers wrote, and the length of its compressed text tells about both to who can
make somebody's browser ask for it again and again, and see the lengths pass (BREACH). So pages are compressed only
when the browser vouches that the person or a page of ours asks (Fetch Metadata), never when another site does.

The style leaves its comments and indentation at home, which are a tenth of it once compressed.
"""

from __future__ import annotations

import gzip
import re
from functools import lru_cache
from pathlib import Path

from flask import Response, request

OK = 200
COMPRESSED = frozenset({".css", ".js", ".svg"})
MEANS_NOTHING = re.compile(rb"\s*/\*.*?\*/\s*|\s+(?=[{}])|(?<=[{};,:])\s+|;\s*(?=\})", re.DOTALL)
"""What a browser skips in our style, whose strings hold no space after a sign."""

OUR_OWN = frozenset({"same-origin", "none"})
"""Values of Sec-Fetch-Site of requests that no other site can cause."""

WORTHWHILE = 1024
"""Bytes below which a page fits a packet or two as it is."""

QUICK = 4
"""The level for pages: 130 KB take about a millisecond."""


def compress_file(response: Response, *, path: Path) -> Response:
    """Give *response*, a whole static file of ours at *path*, gzipped (RFC 9110, section 8.4) for who takes that."""
    if path.suffix not in COMPRESSED:
        return response
    response.vary.add("Accept-Encoding")
    if response.status_code != OK or not _is_taken() or "Range" in request.headers:
        return response
    etag, _ = response.get_etag()
    response.direct_passthrough = False
    response.close()
    response.set_data(_gzipped(path, path.stat().st_mtime_ns))
    response.headers["Content-Encoding"] = "gzip"
    response.set_etag(f"{etag}-gzip")
    response.make_conditional(request)
    return response


def compress_page(response: Response) -> Response:
    """Give *response* gzipped when it is a page, its reader takes that, and no other site asked for it."""
    if response.mimetype != "text/html" or response.is_streamed or "Content-Encoding" in response.headers:
        return response
    response.vary.update(("Accept-Encoding", "Sec-Fetch-Site"))
    if not _is_taken() or request.headers.get("Sec-Fetch-Site") not in OUR_OWN:
        return response
    text = response.get_data()
    if len(text) >= WORTHWHILE:
        response.set_data(gzip.compress(text, QUICK, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response


def _is_taken() -> bool:
    return request.accept_encodings.quality("gzip") > 0


@lru_cache(maxsize=32)
def _gzipped(path: Path, changed_ns: int) -> bytes:  # noqa: ARG001 it notices edits
    content = path.read_bytes()
    return gzip.compress(MEANS_NOTHING.sub(b"", content) if path.suffix == ".css" else content, mtime=0)
