"""What a request to a hook looks like: the exact bytes and headers of a sample, as they would be sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from console.core.envelopes import Message, build, json_text
from console.core.errors import Refused
from console.core.redact import MASK

_EXAMPLE_ID = UUID("019a9b1e-7c00-7000-8000-000000000001")
_EXAMPLE_TIME = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Preview:
    """A request with a sample in it; values that only an attempt knows are examples."""

    event_type: str
    headers: tuple[tuple[str, str], ...]
    body: str
    size: int


def preview_of(
    name: str,
    *,
    sample: object,
    payload_format: str,
    content_type: str,
    organization_slug: str,
    headers: Sequence[tuple[str, str]],
) -> Preview | None:
    """Build the request for the *sample* of the type *name*; None when the format is none."""
    message = Message(
        id=str(_EXAMPLE_ID),
        event_type=name,
        payload=json_text(sample),
        occurred_at=_EXAMPLE_TIME,
        source=None,
        organization=organization_slug,
        number=17,
        delivery_id=_EXAMPLE_ID,
    )
    try:
        body = build(message, payload_format=payload_format, content_type=content_type)
    except Refused:
        return None
    own = (
        ("Content-Type", body.content_type),
        ("webhook-id", str(_EXAMPLE_ID)),
        ("webhook-timestamp", str(int(_EXAMPLE_TIME.timestamp()))),
        ("webhook-signature", f"v1,{MASK}"),
    )
    given = tuple((header, MASK if value == "kept" else value) for header, value in headers)
    return Preview(name, (*own, *body.headers.items(), *given), body.data.decode("utf-8", "replace"), len(body.data))
