"""Payload formats by name: what the body of a delivered request says, and which headers go with it.

``standard`` is Hookyard's own; the others speak as the systems whose dialects Hookyard knows, so receivers written
for those systems understand the deliveries. The name stands in a hook's ``payload_format``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from console.core.errors import Refused
from console.core.formats import oms, pretix, standard, waldur
from console.core.formats.envelope import Body, Envelope, Message

Format = Callable[[Message], Envelope]

FORMATS: dict[str, Format] = {
    "standard": standard.envelope,
    "waldur": waldur.envelope,
    "pretix": pretix.envelope,
    "oms": oms.envelope,
}
"""Every payload format by its name."""


class _Headers(Protocol):
    """What of a format's headers depends on the hook as it is when the request is sent."""

    def __call__(self, *, body: bytes, secret: str | None, config: Mapping[str, Any]) -> dict[str, str]: ...


_EXTRA_HEADERS: Mapping[str, _Headers] = {"oms": oms.extra_headers}


def build(message: Message, *, payload_format: str, content_type: str) -> Body:
    """Write *message* in the named format, as ``json`` or ``form``; raise Refused for a name that is neither."""
    if payload_format not in FORMATS:
        raise Refused(f"The payload format is one of {', '.join(FORMATS)}.", code="payload_format_unknown")
    return FORMATS[payload_format](message).body(content_type)


def extra_headers(
    payload_format: str, *, body: bytes, secret: str | None, config: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """Give the headers that a format adds at send time to those of ``build``; they rank with these.

    *body* is what is sent; *secret* the newest of the hook's secrets, None when it was given none; *config* what the
    dialect of that name keeps with the hook under ``config``.
    """
    headers = _EXTRA_HEADERS.get(payload_format)
    return headers(body=body, secret=secret, config=config or {}) if headers else {}
