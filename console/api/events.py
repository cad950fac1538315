"""/events: publish one or many, list, read. Publishing is the hot path: one look-up of the token, one transaction."""

from __future__ import annotations

import json
from typing import Any, cast
from uuid import UUID

from flask import Response, request

from console.api import paging, shown
from console.api.auth import organization_number, permission
from console.api.blueprints import resource
from console.api.json_body import MIB, body_limit
from console.api.schemas.events import (
    EventBatch,
    EventPage,
    EventQuery,
    EventWithPayload,
    EventWrite,
    IdempotencyHeader,
    Published,
    PublishedBatch,
)
from console.api.specification import response_of
from console.core import json_members
from console.core.errors import Invalid
from console.core.permissions import Permission
from console.extensions import current_work
from console.services.deliveries import deliveries
from console.services.deliveries.delivery_filters import DeliveryFilter
from console.services.events import events as cases
from console.services.events import publishing
from console.services.events.event_drafts import LONGEST_KEY, EventDraft
from console.services.events.events import EventFilter

LARGEST_BATCH = 16 * MIB
SHOWN_DELIVERIES = 100
PLACES_IN_BATCH = 5  # "#999" and a digit to spare

events = resource("events", about="What happened: published by applications, delivered to hooks.")


@events.post("/events")
@permission(Permission.EVENTS_PUBLISH)
@events.input(IdempotencyHeader, location="headers")
@events.input(EventWrite)
@events.output(Published, 202)
def publish(headers_data: IdempotencyHeader, json_data: EventWrite) -> Published:
    """Publish an event.

    It is stored, with a delivery for every hook that hears it, before the answer is given. A repeated key
    (``Idempotency-Key`` or ``id``) with the same content gets the same answer; with other content it is a conflict.
    """
    raw = json_members.split(request.get_data().decode(), depth=1)
    draft = _draft(json_data, cast("dict[str, str]", raw), key=headers_data.idempotency_key)
    return _published(publishing.publish(current_work(), organization_number=organization_number(), draft=draft))


@events.post("/events/batch")
@permission(Permission.EVENTS_PUBLISH)
@body_limit(LARGEST_BATCH)
@events.input(IdempotencyHeader, location="headers")
@events.input(EventBatch)
@events.output(PublishedBatch, 202)
def publish_batch(headers_data: IdempotencyHeader, json_data: EventBatch) -> PublishedBatch:
    """Publish a batch.

    Up to 1,000 events, all of them or none. Each event may have an ``id``; an ``Idempotency-Key`` stands for those that
    have none, by their place in the list.
    """
    raw = cast("dict[str, list[dict[str, str]]]", json_members.split(request.get_data().decode(), depth=3))
    key = headers_data.idempotency_key
    if key is not None and len(key) > LONGEST_KEY - PLACES_IN_BATCH:
        words = f"For a batch use at most {LONGEST_KEY - PLACES_IN_BATCH} characters."
        raise Invalid.field("Idempotency-Key", words, code="too_long")
    drafts = [
        _draft(event, members, key=event.id or (key and f"{key}#{place}"))
        for place, (event, members) in enumerate(zip(json_data.events, raw["events"], strict=True))
    ]
    answers = publishing.publish_batch(current_work(), organization_number=organization_number(), drafts=drafts)
    return PublishedBatch(events=[_published(answer) for answer in answers])


@events.get("/events")
@permission(Permission.EVENTS_VIEW)
@events.input(EventQuery, location="query")
@events.output(EventPage)
def index(query_data: EventQuery) -> dict[str, Any]:
    """List events."""
    work = current_work()
    wanted = EventFilter(
        type=query_data.type,
        source=query_data.source,
        since=query_data.since,
        until=query_data.until,
        q=query_data.q,
    )
    rows = cases.find(
        work,
        organization_number=organization_number(),
        wanted=wanted,
        before=paging.before(query_data.cursor),
        limit=query_data.limit + 1,
    )
    fan_outs = cases.fan_outs(work, rows)
    return paging.page(rows, limit=query_data.limit, shown=lambda row: shown.event(row, fan_outs[row.number]))


@events.get("/events/<uuid:event_id>")
@permission(Permission.EVENTS_VIEW)
@events.doc(responses={200: response_of(EventWithPayload, "The event.")})
def read(event_id: UUID) -> Response:
    """Read an event.

    With its payload as it was published, and the latest 100 of its deliveries.
    """
    work = current_work()
    event = cases.get(work, organization_number=organization_number(), event_id=event_id)
    rows = deliveries.find(
        work,
        organization_number=organization_number(),
        wanted=DeliveryFilter(event_number=event.number),
        limit=SHOWN_DELIVERIES,
    )
    fields = shown.event(event, cases.fan_outs(work, [event])[event.number]).model_dump(mode="json")
    fields["deliveries"] = [one.model_dump(mode="json") for one in shown.deliveries_of(work, rows)]
    # Payload and context go out as the bytes that came in: read and written again, 1.10 would become 1.1.
    head = json.dumps(fields).removesuffix("}").encode()
    body = b'%s, "payload": %s, "context": %s}' % (head, event.payload, event.context or b"null")
    return Response(body, mimetype="application/json")


def _published(answer: publishing.Published) -> Published:
    return Published(id=answer.id, type=answer.type, deliveries=answer.deliveries)


def _draft(event: EventWrite, raw: dict[str, str], *, key: str | None) -> EventDraft:
    """Make what is published from the checked fields, and payload and context from the text as it was sent."""
    about = event.object
    return EventDraft(
        type=event.type,
        payload=raw["payload"].encode(),
        source=event.source,
        key=key or event.id,
        id=_as_uuid(event.id),
        occurred_at=event.occurred_at,
        message=event.message,
        context=None if event.context is None else raw["context"].encode(),
        object_model=about.model if about else None,
        object_pk=about.pk if about else None,
    )


def _as_uuid(text: str | None) -> UUID | None:
    """Read a UUID in its dashed form; any other text is only a key."""
    if text is None:
        return None
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text.lower() else None
