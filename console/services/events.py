"""Events: the list, one of them, and how its fan-out went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import defer

from console.core.errors import NotFound
from console.models import Delivery, DeliveryState, Event
from console.services.deliveries import id_span
from console.services.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events are wanted; None means any. *q* is the start of an id, or an object."""

    type: str | None = None
    source: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True)
class FanOut:
    """How the deliveries of an event stand."""

    deliveries: int
    delivered: int
    failed: int
    waiting: int


def get(work: Work, *, organization_number: int, event_id: UUID) -> Event:
    """Give an event; raise NotFound."""
    event = work.session.scalar(
        select(Event).where(Event.organization_number == organization_number, Event.id == event_id)
    )
    if event is None:
        raise NotFound("event")
    return event


def find(
    work: Work, *, organization_number: int, wanted: EventFilter, before: int | None = None, limit: int = 50
) -> list[Event]:
    """List events without their payloads, newest first, with a number below *before*."""
    query = (
        select(Event)
        .where(Event.organization_number == organization_number)
        .options(defer(Event.payload), defer(Event.context))
        .order_by(Event.number.desc())
    )
    if before is not None:
        query = query.where(Event.number < before)
    if wanted.type:
        query = query.where(Event.type == wanted.type)
    if wanted.source:
        query = query.where(Event.source == wanted.source)
    if wanted.since:
        query = query.where(Event.created_at >= wanted.since)
    if wanted.until:
        query = query.where(Event.created_at < wanted.until)
    if wanted.q:
        span = id_span(wanted.q)
        named = Event.object_pk == wanted.q
        query = query.where(named if span is None else or_(named, Event.id.between(*span)))
    return list(work.session.scalars(query.limit(limit)))


def fan_outs(work: Work, events: Sequence[Event]) -> dict[int, FanOut]:
    """Give how the deliveries of each event stand, by the event's number."""

    def counted(*states: DeliveryState) -> object:
        return func.sum(case((Delivery.state.in_(states), 1), else_=0))

    rows = work.session.execute(
        select(
            Delivery.event_number,
            func.count(),
            counted(DeliveryState.DELIVERED),
            counted(DeliveryState.FAILED, DeliveryState.CANCELED),
            counted(DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.HELD),
        )  # type: ignore[call-overload]  # the helper's expressions are untyped
        .where(Delivery.event_number.in_([event.number for event in events]))
        .group_by(Delivery.event_number)
    )
    counts = {row[0]: FanOut(*map(int, row[1:])) for row in rows}
    return {event.number: counts.get(event.number, FanOut(0, 0, 0, 0)) for event in events}


def deliveries_of(work: Work, event: Event) -> list[Delivery]:
    """Give the deliveries of an event, oldest first."""
    return list(
        work.session.scalars(select(Delivery).where(Delivery.event_number == event.number).order_by(Delivery.number))
    )
