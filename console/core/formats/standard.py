"""The body that Standard Webhooks recommends: type, timestamp, data."""

from __future__ import annotations

from console.core.formats.envelope import Envelope, Message, json_text, rfc3339


def envelope(message: Message) -> Envelope:
    """Write *message* with its payload verbatim in ``data``."""
    return Envelope(
        (
            ("type", json_text(message.event_type)),
            ("timestamp", json_text(rfc3339(message.occurred_at))),
            ("data", message.payload),
        )
    )
