"""Events: the list, one of them, and how its fan-out went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import defer, joinedload

from console.core.errors import NotFound
from console.models import Delivery, DeliveryState, Event, Hook
from console.services.deliveries.delivery_filters import id_span
from console.services.deliveries.log_walks import MOST_FOUND, some, unindexed, within
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
    found = _found(work, organization_number, wanted.q) if wanted.q else None
    own = Event.organization_number if found is None else unindexed(Event.organization_number)
    query = select(Event).where(own == organization_number).options(defer(Event.payload), defer(Event.context))
    if found is not None:
        query = query.where(Event.number.in_(found))
    elif wanted.q:
        query = query.where(_named(wanted.q))
    if before is not None:
        query = query.where(Event.number < before)
    if wanted.type:
        query = query.where(Event.type == wanted.type)
    if wanted.source:
        query = query.where((unindexed(Event.source) if wanted.type else Event.source) == wanted.source)
    query = query.where(*within(work.session, Event, since=wanted.since, until=wanted.until))
    return list(work.session.scalars(query.order_by(Event.number.desc()).limit(limit)))


def _named(words: str) -> ColumnElement[bool]:
    span = id_span(words)
    named = Event.object_pk == words
    return named if span is None else or_(named, Event.id.between(*span))


def _found(work: Work, organization_number: int, words: str) -> list[int] | None:
    """Give the numbers of the events that a search names; None when they are many, and soon met by walking."""
    span = id_span(words)
    own = select(Event.number).where(Event.organization_number == organization_number)
    found = some(work.session, own.where(Event.object_pk == words), Event.number)
    if span is not None:
        found += some(work.session, own.where(Event.id.between(*span)), Event.id)
    return found if len(found) <= MOST_FOUND else None


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


def tested_hooks(work: Work, events: Sequence[Event]) -> dict[int, Hook]:
    """Give the hook that was tested with each event that is a test, by the event's number."""
    tests = [event.number for event in events if event.is_test]
    if not tests:
        return {}
    query = select(Delivery.event_number, Hook).join(Hook, Hook.number == Delivery.hook_number)
    return dict(work.session.execute(query.where(Delivery.event_number.in_(tests))).all())


def deliveries_of(work: Work, event: Event) -> list[Delivery]:
    """Give the deliveries of an event with their hooks, oldest first."""
    query = select(Delivery).where(Delivery.event_number == event.number).order_by(Delivery.number)
    return list(work.session.scalars(query.options(joinedload(Delivery.hook))))
