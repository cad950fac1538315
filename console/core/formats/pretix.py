"""The bodies that receivers of pretix's webhooks expect (docs: the pretix dialect).

They tell what happened and to which object, not what the object looks like: a receiver asks pretix for it. Which keys
there are depends on the kind of the action type (see ``catalogue``).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from console.core import json_members
from console.core.catalogue import pretix_kind
from console.core.formats.envelope import Envelope, Message, json_text

_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "order": ("notification_id", "organizer", "event", "code", "action"),
        "event": ("notification_id", "organizer", "event", "action"),
        "subevent": ("notification_id", "organizer", "event", "subevent", "action"),
        "item": ("notification_id", "organizer", "event", "item", "action"),
        "voucher": ("notification_id", "organizer", "event", "voucher", "action"),
        "waitinglistentry": ("notification_id", "organizer", "event", "waitinglistentry", "action"),
        "checkin": (
            "notification_id",
            "organizer",
            "event",
            "code",
            "action",
            "orderposition_id",
            "orderposition_positionid",
            "checkin_list",
            "type",
            "first_checkin",
        ),
        "customer": ("notification_id", "organizer", "customer", "action"),
        "giftcard": ("notification_id", "issuer_id", "issuer_slug", "giftcard", "action"),
        "giftcard_transaction": (
            "notification_id",
            "issuer_id",
            "issuer_slug",
            "acceptor_id",
            "acceptor_slug",
            "giftcard",
            "action",
        ),
    }
)
_TEXTUAL = frozenset({"code", "customer"})
"""Keys that name the object by a text, even one of digits."""
_NAMING = _TEXTUAL | {"subevent", "item", "voucher", "waitinglistentry", "giftcard"}
"""Keys that name the object of the event."""


def envelope(message: Message) -> Envelope:
    """Write *message* with the keys of its kind."""
    known = {
        "notification_id": json_text(message.number),
        "organizer": json_text(message.organization),
        "issuer_slug": json_text(message.organization),
        "event": json_text(message.source),
        "action": json_text(message.event_type),
    }
    keys = _KEYS[pretix_kind(message.event_type)]
    given = {} if known.keys() >= set(keys) else _payload_members(message.payload)
    return Envelope(tuple((key, known.get(key) or given.get(key) or _from_object(message, key=key)) for key in keys))


def _payload_members(payload: bytes) -> dict[str, bytes]:
    """Give the members of a payload as they were written; none of one that is no object."""
    parts = json_members.split(payload.decode(), depth=1)
    return {name: str(part).encode() for name, part in parts.items()} if isinstance(parts, dict) else {}


def _from_object(message: Message, *, key: str) -> bytes:
    """Name the event's object where *key* asks for that; else null."""
    pk = message.object_pk if key in _NAMING else None
    if pk is not None and key not in _TEXTUAL and pk.isascii() and pk.isdigit():
        return json_text(int(pk))
    return json_text(pk)
