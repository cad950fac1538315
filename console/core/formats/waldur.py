"""The body that receivers of Waldur's web hooks expect (docs: the waldur dialect)."""

from __future__ import annotations

from console.core.formats.envelope import Envelope, Message, json_text, rfc3339

_SPACE = b" \t\r\n"


def envelope(message: Message) -> Envelope:
    """Write *message* with Waldur's five keys; the time is UTC without saying so."""
    return Envelope(
        (
            ("timestamp", json_text(rfc3339(message.occurred_at).removesuffix("Z"))),
            ("message", json_text(message.message or "")),
            ("type", json_text(message.event_type)),
            ("context", _context(message)),
            ("levelname", b'"INFO"'),
        )
    )


def _context(message: Message) -> bytes:
    """Give the event's context, else its payload, within an object if it is none: receivers look up keys there."""
    if message.context is not None and message.context.strip(_SPACE) != b"null":
        return message.context
    if message.payload.lstrip(_SPACE).startswith(b"{"):
        return message.payload
    return b'{"payload":' + message.payload + b"}"
