"""Whether a page of this console sent a request. Origins are compared whole: one may be the beginning of another."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import request

DEFAULT_PORTS = {"http": 80, "https": 443}


def is_from_here() -> bool:
    """Return whether a page of this console sent the request, by what the browser says of it.

    ``Sec-Fetch-Site`` decides where the browser sends it (https and localhost); else the origin (RFC 6454), or the
    referrer without one. False when nothing says so.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    sender = request.headers.get("Origin", request.headers.get("Referer", ""))
    return origin_of(sender) == origin_of(request.host_url)


def origin_of(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of *url*; None for what has no origin to compare, such as ``null``."""
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname and port else None
