"""What a payload format makes of an event, and how that is written as a body.

The payload is the bytes that were published: it is spliced into the body, never read and written again, so a number
keeps its digits and an object the order of its keys. Same message, same bytes: a body is built once per delivery.

A format is a small function from a message to the members of the body; writing them as JSON or as
form fields is the same for all formats and done here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode
from uuid import UUID

from console.core.errors import Refused

MEDIA_TYPES: Mapping[str, str] = {"json": "application/json", "form": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class Message:
    """Everything that a payload format may speak of: an event on its way to one hook.

    *id* is the ``webhook-id``; *payload* and *context* are JSON texts in UTF-8, already checked; *occurred_at* is
    aware; *source* and *organization* are slugs; *number* is the event's.
    """

    id: str
    event_type: str
    payload: bytes
    occurred_at: datetime
    source: str | None
    organization: str
    number: int
    delivery_id: UUID
    message: str | None = None
    context: bytes | None = None
    object_model: str | None = None
    object_pk: str | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent: the bytes, their Content-Type, and the headers of the payload format beside it."""

    data: bytes
    content_type: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Envelope:
    """The body as a format sees it: *members* in order, each value a JSON text.

    *is_spaced* puts a space after the comma and the colon between members, for receivers that compare bytes.
    """

    members: tuple[tuple[str, bytes], ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    is_spaced: bool = False

    def body(self, content_type: str) -> Body:
        """Write the members as ``json`` or ``form``; raise Refused for a *content_type* that is neither."""
        write = _WRITERS.get(content_type)
        if write is None:
            raise Refused(f"The content type is one of {', '.join(_WRITERS)}.", code="content_type_unknown")
        return Body(write(self), MEDIA_TYPES[content_type], dict(self.headers))


def json_text(value: object) -> bytes:
    """Write *value* as JSON in UTF-8, without spaces."""
    return _ENCODER.encode(value).encode()


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))  # json.dumps makes one for each call


def rfc3339(moment: datetime) -> str:
    """Write an aware *moment* in UTC with six decimals and ``Z``; a naive one is a ValueError."""
    if moment.tzinfo is None:
        raise ValueError("a naive datetime has no place here")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _write_json(envelope: Envelope) -> bytes:
    comma, colon = (b", ", b": ") if envelope.is_spaced else (b",", b":")
    return b"{" + comma.join(json_text(name) + colon + value for name, value in envelope.members) + b"}"


def _write_form(envelope: Envelope) -> bytes:
    """Make each member a field; a value that is no string is its JSON text."""
    return urlencode([(name, _field_value(value)) for name, value in envelope.members]).encode("ascii")


def _field_value(value: bytes) -> bytes:
    return str(json.loads(value)).encode() if value.lstrip().startswith(b'"') else value


_WRITERS: Mapping[str, Callable[[Envelope], bytes]] = {"json": _write_json, "form": _write_form}
