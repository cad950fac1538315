"""Events as the API takes and gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field, StrictStr
from pydantic.config import JsonDict

from console.api.schemas.base import Input, ListQuery, Moment, Output, SearchWords
from console.api.schemas.deliveries import Delivery
from console.api.schemas.hooks import EventTypeText
from console.services.events.event_drafts import LONGEST_KEY, LONGEST_MESSAGE, LONGEST_TEXT, MOST_IN_BATCH

EXAMPLE: JsonDict = {
    "type": "order.paid",
    "payload": {"order": "A-1001", "total": "19.90", "currency": "EUR"},
    "id": "order-A-1001-paid",
}
Name = Annotated[StrictStr, Field(min_length=1, max_length=LONGEST_TEXT)]


class EventObject(Input):
    """What an event is about, in the publisher's words."""

    model: Name | None = None
    pk: Name | None = None


class EventWrite(Input):
    """An event to publish. The payload is stored, signed and sent as the very bytes that stand here."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})
    keeps_bytes = True

    type: EventTypeText
    payload: Any = Field(description="Any JSON of up to 256 KiB.")
    source: Annotated[StrictStr, Field(min_length=1, max_length=50)] | None = Field(
        None, description="The slug of a source."
    )
    id: Annotated[StrictStr, Field(min_length=1, max_length=LONGEST_KEY)] | None = Field(
        None, description="The idempotency key; a UUID becomes the event's own id."
    )
    occurred_at: Moment | None = Field(None, description="When it happened; absent: now.")
    message: Annotated[StrictStr, Field(max_length=LONGEST_MESSAGE)] | None = None
    context: dict[str, Any] | None = Field(None, description="An object that payload formats may use; null: none.")
    object: EventObject | None = None


class EventBatch(Input):
    """Events to publish together: all of them or none."""

    keeps_bytes = True

    events: Annotated[list[EventWrite], Field(min_length=1, max_length=MOST_IN_BATCH)]


class IdempotencyHeader(Input):
    """The key under which a request may be repeated."""

    idempotency_key: Annotated[StrictStr, Field(min_length=1, max_length=LONGEST_KEY)] | None = Field(
        None, description="Same key and body: the same answer; another body: 409."
    )


class Published(Output):
    """A published event, and how many deliveries were made of it, held ones included."""

    id: UUID
    type: str
    deliveries: int


class PublishedBatch(Output):
    """The results in the order of the request."""

    events: list[Published]


class EventQuery(ListQuery):
    """Which events are wanted."""

    type: EventTypeText | None = None
    source: SearchWords | None = None
    since: Moment | None = Field(None, description="Published at this time or later.")
    until: Moment | None = Field(None, description="Published before this time.")
    q: SearchWords | None = Field(None, description="The start of an id, or the pk of an object.")


class FanOut(Output):
    """How the deliveries of an event stand: canceled ones count as failed, held ones as waiting."""

    deliveries: int
    delivered: int
    failed: int
    waiting: int


class ObjectReference(Output):
    """What an event is about."""

    model: str | None
    pk: str | None


class Event(Output):
    """An event, without its payload."""

    id: UUID
    number: int
    type: str
    source: str | None
    message: str | None
    object: ObjectReference | None
    occurred_at: datetime
    created_at: datetime
    test: bool
    fan_out: FanOut


class EventWithPayload(Event):
    """An event with payload and context as published, and the latest 100 deliveries; /deliveries?event= has all."""

    deliveries: list[Delivery]
    payload: Any
    context: Any


class EventPage(Output):
    """A page of events."""

    data: list[Event]
    next_cursor: str | None
