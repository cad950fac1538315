"""Which request headers a hook may add, and which header values people and logs may see."""

from __future__ import annotations

import re
from collections.abc import Mapping

from console.core.errors import Refused

MAX_HEADERS = 32
MAX_VALUE_LENGTH = 4096
MAX_TOTAL_LENGTH = 16_384
"""Of all lines together as they are sent: name, colon, space, value, CR and LF."""

LOGGED_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "age",
        "allow",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "etag",
        "expires",
        "host",
        "last-modified",
        "location",
        "retry-after",
        "server",
        "transfer-encoding",
        "user-agent",
        "vary",
        "via",
        "webhook-id",
        "webhook-timestamp",
        "x-request-id",
        "x-whisperer-event",
    }
)
"""The names whose values may be shown; every other value is masked, signatures too: a copy of one can be replayed."""

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_|~-]{1,64}")
_VALUE = re.compile(r"(?:[!-~](?:[\t -~]*[!-~])?)?")
_LINE_OVERHEAD = len(": \r\n")

_DENIED = frozenset(
    {
        "host",
        "content-length",
        "content-type",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "cookie",
        "via",
        "forwarded",
        "x-real-ip",
        "accept-encoding",
        "content-encoding",
        "date",
        # These open the metadata services of clouds.
        "metadata",
        "metadata-flavor",
    }
)
_DENIED_PREFIXES = ("proxy-", "x-forwarded-", "webhook-", "x-hookyard-", "x-aws-ec2-metadata-token")
_SENSITIVE = ("auth", "token", "secret", "key")  # "auth" finds authorization too


class HeaderRefused(Refused):
    """One header breaks a rule; *header* is its name as it was given, for dialects that have words of their own."""

    def __init__(self, message: str, *, code: str, header: str) -> None:
        super().__init__(message, code=code)
        self.header = header


def check_headers(headers: Mapping[str, str], *, allow_content_type: bool = False) -> None:
    """Raise Refused (``header_invalid``, ``header_denied``) unless a hook may send *headers*.

    Only hooks of the payload format ``oms`` may set the content type. The first wrong header is a HeaderRefused.
    """
    if len(headers) > MAX_HEADERS:
        raise Refused(f"A hook has at most {MAX_HEADERS} headers; remove some.", code="header_invalid")
    seen: set[str] = set()
    for name, value in headers.items():
        _check_name(name, allow_content_type=allow_content_type)
        if name.lower() in seen:
            raise HeaderRefused(f"{name} is given twice; keep one.", code="header_invalid", header=name)
        seen.add(name.lower())
        _check_value(name, value=value)
    if sum(len(name) + len(value) + _LINE_OVERHEAD for name, value in headers.items()) > MAX_TOTAL_LENGTH:
        raise Refused(f"The headers of a hook have at most {MAX_TOTAL_LENGTH} bytes in all.", code="header_invalid")


def is_sensitive(name: str) -> bool:
    """Say whether the value of header *name* is a secret: it is then stored encrypted and never given back."""
    lowered = name.lower()
    return any(word in lowered for word in _SENSITIVE)


def _check_name(name: object, *, allow_content_type: bool) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise HeaderRefused(
            "A header name has 1 to 64 letters, digits or hyphens, and no spaces.",
            code="header_invalid",
            header=str(name),
        )
    plain = name.lower().replace("_", "-")  # receivers behind CGI or WSGI cannot tell the two apart
    if plain == "content-type" and allow_content_type:
        return
    if plain in _DENIED or plain.startswith(_DENIED_PREFIXES):
        raise HeaderRefused(
            f"{name} may not be set: Hookyard or the connection decides it.", code="header_denied", header=name
        )


def _check_value(name: str, *, value: object) -> None:
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise HeaderRefused(
            f"The value of {name} must be plain ASCII text on one line, without spaces at its ends.",
            code="header_invalid",
            header=name,
        )
    if len(value) > MAX_VALUE_LENGTH:
        raise HeaderRefused(
            f"The value of {name} has more than {MAX_VALUE_LENGTH} characters.", code="header_invalid", header=name
        )
