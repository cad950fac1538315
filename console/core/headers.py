"""Which request headers a hook may add, and which header values people and logs may see."""

from __future__ import annotations

import re
from collections.abc import Mapping

from console.core.errors import Refused

MAX_HEADERS = 32
MAX_VALUE_LENGTH = 4096
MAX_TOTAL_LENGTH = 16_384
"""Of all lines together as they are sent: name, colon, space, value, CR and LF."""

HARMLESS_HEADERS = frozenset(
    {
        "accept",
        "accept-charset",
        "accept-encoding",
        "accept-language",
        "accept-ranges",
        "access-control-allow-headers",
        "access-control-allow-methods",
        "access-control-allow-origin",
        "age",
        "allow",
        "alt-svc",
        "cache-control",
        "cf-ray",
        "connection",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-type",
        "date",
        "etag",
        "expires",
        "host",
        "keep-alive",
        "last-modified",
        "location",
        "pragma",
        "proxy-authenticate",
        "ratelimit-limit",
        "ratelimit-remaining",
        "ratelimit-reset",
        "retry-after",
        "server",
        "server-timing",
        "strict-transport-security",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "vary",
        "via",
        "webhook-id",
        "webhook-timestamp",
        "www-authenticate",
        "x-content-type-options",
        "x-frame-options",
        "x-powered-by",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "x-request-id",
        "x-whisperer-event",
    }
)
"""The names (in lower case) whose values everybody may see. A signature is not among them: a copy can be replayed."""

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
        "accept-encoding",
        "content-encoding",
        "date",
        # CGI turns it into HTTP_PROXY, which HTTP clients behind it obey (httpoxy).
        "proxy",
        # Proxies and frameworks read another host, path or method from these.
        "x-host",
        "x-original-host",
        "x-original-url",
        "x-rewrite-url",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        # Receivers behind a proxy or a content network read the address of the client from these.
        "client-ip",
        "cf-connecting-ip",
        "cf-connecting-ipv6",
        "cf-pseudo-ipv4",
        "fastly-client-ip",
        "fly-client-ip",
        "true-client-ip",
        "x-appengine-user-ip",
        "x-azure-clientip",
        "x-azure-socketip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-originating-ip",
        "x-real-ip",
        "x-remote-addr",
        "x-remote-ip",
        "x-true-client-ip",
        # A web server in front of the receiver sends a file of its own.
        "x-sendfile",
        "x-sendfile-type",
        # These open the metadata services of clouds.
        "metadata",
        "metadata-flavor",
    }
)
_DENIED_PREFIXES = (
    "proxy-",
    "x-accel-",
    "x-envoy-",
    "x-forwarded-",
    "webhook-",
    "x-hookyard-",
    "x-aws-ec2-metadata-token",
)
_SENSITIVE = (
    "auth",  # finds authorization too
    "bearer",
    "cookie",
    "credential",
    "csrf",
    "hmac",
    "jwt",
    "key",
    "otp",
    "pass",
    "pwd",
    "secret",
    "session",
    "signature",
    "token",
    "xsrf",
)


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
    """Return whether the name of a header speaks of a secret: nobody is shown its value, and it is stored encrypted."""
    lowered = name.lower()
    return lowered not in HARMLESS_HEADERS and any(word in lowered for word in _SENSITIVE)


def denied_names(headers: Mapping[str, str], *, allow_content_type: bool = False) -> list[str]:
    """Return the names in *headers* that are never sent: hooks stored before a name was denied may still have them."""
    return [name for name in headers if _is_denied(name, allow_content_type=allow_content_type)]


def _is_denied(name: str, *, allow_content_type: bool) -> bool:
    plain = name.lower().replace("_", "-")  # receivers behind CGI or WSGI cannot tell the two apart
    if plain == "content-type" and allow_content_type:
        return False
    return plain in _DENIED or plain.startswith(_DENIED_PREFIXES)


def _check_name(name: object, *, allow_content_type: bool) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise HeaderRefused(
            "A header name has 1 to 64 letters, digits or hyphens, and no spaces.",
            code="header_invalid",
            header=str(name),
        )
    if _is_denied(name, allow_content_type=allow_content_type):
        raise HeaderRefused(
            f"{name} may not be set: Hookyard, the connection or a proxy decides it.", code="header_denied", header=name
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
