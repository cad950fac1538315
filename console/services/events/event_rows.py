"""The rows of new events: how one is made of what a publisher sent, and how many are written at once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, select
from sqlalchemy import insert as insert_into

from console.core.errors import Conflict
from console.models import Event
from console.services.event_types import object_models
from console.services.events.event_drafts import EventDraft
from console.services.work import Work

INLINE_HOOKS = 1000
"""Deliveries of an event to more hooks are not created while its publisher waits."""

# Over the table, not the class: the ORM's bulk insert does the same for twice the time. RETURNING makes SQLAlchemy send
# all rows as one statement; to be given them in order, it would send them one by one.
_EVENTS = cast("Table", Event.__table__)
_INSERT = insert_into(_EVENTS).returning(_EVENTS.c.id, _EVENTS.c.number)


def row(
    organization_number: int,
    draft: EventDraft,
    digest: bytes,
    *,
    id: UUID,  # noqa: A002 as everywhere
    now: datetime,
    wanted: int,
    is_decided: bool = True,
) -> dict[str, Any]:
    """Return the row of an event, whose *id* is used unless the publisher has chosen one.

    *wanted* is how many hooks get it. Unless it *is_decided*, it is how many may, and the workers apply the filters.
    """
    return {
        "id": draft.id or id,
        "organization_number": organization_number,
        "type": draft.type,
        "source": draft.source,
        "message": draft.message,
        "context": draft.context,
        "object_model": draft.object_model,
        "object_pk": draft.object_pk,
        "occurred_at": draft.occurred_at or now,
        "created_at": now,
        "idempotency_key": draft.key,
        "request_sha256": digest,
        "fanout_pending": wanted > INLINE_HOOKS or not is_decided,
        "delivery_count": wanted,
        "is_test": False,
        "is_direct": False,
        "is_from_callback": draft.is_from_callback,
        "payload": draft.payload,
        "payload_sha256": hashlib.sha256(draft.payload).digest(),
    }


def insert(work: Work, events: list[dict[str, Any]]) -> list[int]:
    """Insert event rows and give their numbers in the same order."""
    object_models.note(work, names={event["object_model"] for event in events})
    numbers: dict[UUID, int] = dict(work.session.execute(_INSERT, events).all())
    return [numbers[event["id"]] for event in events]


def refuse_taken_ids(work: Work, organization_number: int, ids: Sequence[UUID]) -> None:
    """Raise Conflict when one of the publishers' own *ids* is repeated or is an event's of the organization already."""
    those = select(Event.number).where(Event.organization_number == organization_number, Event.id.in_(ids)).limit(1)
    taken = len(set(ids)) < len(ids) or (ids and work.session.scalar(those) is not None)
    if taken:
        raise Conflict("An event with this id was published before.", code="id_taken")
