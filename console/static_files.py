"""Static files, compressed once a process: style and scripts are most of what a first visit loads.

Pages are not compressed: they hold secrets beside what strangers wrote, and the length of a compressed answer tells
about both (BREACH).
"""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path

from flask import Response, request

OK = 200
COMPRESSED = frozenset({".css", ".js", ".svg"})


def compress(response: Response, *, path: Path) -> Response:
    """Give *response*, a whole static file of ours at *path*, gzipped (RFC 9110, section 8.4) for who takes that."""
    if path.suffix not in COMPRESSED:
        return response
    response.vary.add("Accept-Encoding")
    if response.status_code != OK or request.accept_encodings.quality("gzip") == 0 or "Range" in request.headers:
        return response
    etag, _ = response.get_etag()
    response.direct_passthrough = False
    response.close()
    response.set_data(_gzipped(path, path.stat().st_mtime_ns))
    response.headers["Content-Encoding"] = "gzip"
    response.set_etag(f"{etag}-gzip")
    response.make_conditional(request)
    return response


@lru_cache(maxsize=32)
def _gzipped(path: Path, changed_ns: int) -> bytes:  # noqa: ARG001 it notices edits
    return gzip.compress(path.read_bytes(), mtime=0)
