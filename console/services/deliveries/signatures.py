"""What a hook's secrets make of a request that was sent: to compare with what its receiver got or computed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from console.core import signing
from console.core.errors import KeyUnavailable
from console.models import Attempt, Hook
from console.services.hooks import hook_secrets
from console.services.work import Work


@dataclass(frozen=True, slots=True)
class Signature:
    """The signature by one secret; *is_sent* says that the secret was in force when the request was sent."""

    made_at: datetime
    expires_at: datetime | None
    text: str
    is_sent: bool


def base_string(attempt: Attempt, *, body: bytes) -> str:
    """Write what was signed: ``<webhook-id>.<webhook-timestamp>.<body>``; empty before the headers are known."""
    identifier, timestamp = _signed_headers(attempt)
    return f"{identifier}.{timestamp}.{body.decode('utf-8', 'replace')}" if identifier and timestamp else ""


def _signed_headers(attempt: Attempt) -> tuple[str, str]:
    sent = {str(name).lower(): str(value) for name, value in attempt.request_headers or []}
    return sent.get("webhook-id", ""), sent.get("webhook-timestamp", "")


def signatures_of(work: Work, *, hook: Hook, attempt: Attempt, body: bytes) -> list[Signature]:
    """Sign an attempt's request once more with each secret that signs now, the newest first.

    Empty when nothing was sent, or when the secrets cannot be read here.
    """
    message_id, stamp = _signed_headers(attempt)
    if not message_id or not (stamp.isascii() and stamp.isdecimal()):
        return []
    try:
        secrets = hook_secrets.secrets_of(work, hook)
    except KeyUnavailable:
        return []
    return [
        Signature(
            row.created_at,
            row.expires_at,
            signing.sign(message_id=message_id, timestamp=int(stamp), body=body, secrets=[text]),
            row.created_at <= attempt.started_at,
        )
        for row, text in secrets
    ]
