"""The body of a delivery, built from its event the same way for every attempt and for every look at it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from uuid import UUID

from console.core.envelopes import Body, Message
from console.core.envelopes import build as build_body


class EventFacts(Protocol):
    """What of an event goes into a body: an Event, or a row with these columns."""

    @property
    def type(self) -> str: ...  # noqa: D102
    @property
    def payload(self) -> bytes: ...  # noqa: D102
    @property
    def occurred_at(self) -> datetime: ...  # noqa: D102
    @property
    def source(self) -> str | None: ...  # noqa: D102
    @property
    def number(self) -> int: ...  # noqa: D102
    @property
    def message(self) -> str | None: ...  # noqa: D102
    @property
    def context(self) -> bytes | None: ...  # noqa: D102
    @property
    def object_model(self) -> str | None: ...  # noqa: D102
    @property
    def object_pk(self) -> str | None: ...  # noqa: D102


class DeliveryFacts(Protocol):
    """What of a delivery goes into a body."""

    @property
    def id(self) -> UUID: ...  # noqa: D102
    @property
    def payload_format(self) -> str: ...  # noqa: D102
    @property
    def content_type(self) -> str: ...  # noqa: D102


def build(event: EventFacts, delivery: DeliveryFacts, *, organization_slug: str) -> Body:
    """Write *event* in the format that *delivery* was made with."""
    message = Message(
        id=str(delivery.id),
        event_type=event.type,
        payload=event.payload,
        occurred_at=event.occurred_at,
        source=event.source,
        organization=organization_slug,
        number=event.number,
        delivery_id=delivery.id,
        message=event.message,
        context=event.context,
        object_model=event.object_model,
        object_pk=event.object_pk,
    )
    return build_body(message, payload_format=delivery.payload_format, content_type=delivery.content_type)
