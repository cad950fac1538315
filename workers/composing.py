"""What is sent: the request of an attempt, put together from a claimed row and the hook as it is now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from console.core import signing
from console.core.formats import extra_headers
from console.core.headers import check_headers, denied_names
from console.core.targets import Target
from console.services.deliveries import bodies
from console.services.engine.claims import Claimed
from console.services.engine.recipients import Recipient
from workers.sender import Request

METHOD = "POST"


def compose(row: Claimed, recipient: Recipient, *, target: Target, now: datetime) -> Request:
    """Build, and sign at *now*, the request that brings *row* to *recipient*.

    Leave out headers of the hook that may not be set: it may be older than the rule. Raise Refused when its other
    headers are malformed, or the body cannot be built.
    """
    denied = denied_names(recipient.headers, allow_content_type=True)  # only a payload format lets it replace ours
    own = {name: value for name, value in recipient.headers.items() if name not in denied}
    check_headers(own, allow_content_type=True)
    body = bodies.build(row.event, row, organization_slug=recipient.organization_slug)
    secret = recipient.given_secret(now)
    more = extra_headers(row.payload_format, body=body.data, secret=secret, config=recipient.config)
    formats = {"Content-Type": body.content_type, **body.headers, **more}
    headers = _merged(own, formats, hook_replaces=row.payload_format == "oms")
    headers |= _signed(row, recipient, body=body.data, now=now)
    return Request(target, METHOD, headers, body.data, recipient.timeout_s)


def _signed(row: Claimed, recipient: Recipient, *, body: bytes, now: datetime) -> dict[str, str]:
    """Give the headers of Standard Webhooks: a hook can set none of these names, whatever their case."""
    message_id = str(row.id)
    timestamp = int(now.timestamp())
    secrets = recipient.signing_secrets(now)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signing.sign(message_id=message_id, timestamp=timestamp, body=body, secrets=secrets),
    }


def _merged(hooks: Mapping[str, str], formats: Mapping[str, str], *, hook_replaces: bool) -> dict[str, str]:
    """Put the headers of hook and payload format together; names that differ only in case are one header.

    The format's win over the hook's; in oms alone it is the other way round.
    """
    if not hooks:
        return dict(formats)
    order = (formats, hooks) if hook_replaces else (hooks, formats)
    found: dict[str, tuple[str, str]] = {}
    for headers in order:
        for name, value in headers.items():
            found[name.lower()] = (name, value)
    return dict(found.values())
