"""Static files, compressed once a process: style and scripts are most of what a first visit loads.

The style leaves its comments and indentation at home, which are a tenth of it once compressed.

Pages are not compressed: they hold secrets beside what strangers wrote, and the length of a compressed answer tells
about both (BREACH).
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
    content = path.read_bytes()
    return gzip.compress(MEANS_NOTHING.sub(b"", content) if path.suffix == ".css" else content, mtime=0)
