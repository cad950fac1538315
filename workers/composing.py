"""What is sent: the request of an attempt, put together from a claimed row and the hook as it is now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from console.core import signing
from console.core.targets import Target
from console.services import bodies
from console.services.claims import Claimed
from console.services.recipients import Recipient
from workers.sender import Request

METHOD = "POST"


def compose(row: Claimed, recipient: Recipient, *, target: Target, now: datetime) -> Request:
    """Build, and sign at *now*, the request that brings *row* to *recipient*."""
    body = bodies.build(row.event, row, organization_slug=recipient.organization_slug)
    message_id = str(row.id)
    timestamp = int(now.timestamp())
    own = {
        "Content-Type": body.content_type,
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signing.sign(
            message_id=message_id, timestamp=timestamp, body=body.data, secrets=recipient.signing_secrets(now)
        ),
    }
    headers = _merged(recipient.headers, body.headers, own, hook_replaces=row.payload_format == "oms")
    return Request(target, METHOD, headers, body.data, recipient.timeout_s)


def _merged(
    hooks: Mapping[str, str], formats: Mapping[str, str], own: Mapping[str, str], *, hook_replaces: bool
) -> dict[str, str]:
    """Put the headers of hook, payload format and Hookyard together; names that differ only in case are one header.

    Ours win always, the format's win over the hook's. In oms alone the hook's replace the format's and Content-Type.
    """
    if not hooks and not formats:
        return dict(own)
    order = (formats, own, hooks) if hook_replaces else (hooks, formats, own)
    found: dict[str, tuple[str, str]] = {}
    for headers in order:
        for name, value in headers.items():
            found[name.lower()] = (name, value)
    return dict(found.values())
