"""Which deliveries of the log are wanted, and the conditions that say so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, literal_column, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from console.core.errors import Invalid, Refused
from console.core.outcomes import NO_STATUS
from console.core.patterns import check_pattern, is_pattern
from console.models import Delivery, DeliveryState, Event
from console.services.queries import starts_with

STATUS_CLASSES = {"1xx": 100, "2xx": 200, "3xx": 300, "4xx": 400, "5xx": 500}
FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """Which deliveries of the log are wanted; None and empty mean any.

    *event_type* is a name or a wildcard; *status_class* is 1xx … 5xx or ``none`` (no answer came); *q* is the start of
    a delivery's or an event's id, or an event's object; *replay_number* is that of the last replay that queued it.
    *status* is an exact code. *status_class* ``failed`` is any answer that is no success. *any_attempt*: what is asked
    of the answer holds for any attempt that failed, not only for the last one.
    """

    hook_number: int | None = None
    event_number: int | None = None
    replay_number: int | None = None
    event_type: str | None = None
    states: tuple[DeliveryState, ...] = ()
    status_class: str | None = None
    status: int | None = None
    any_attempt: bool = False
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    q: str | None = None

    @property
    def asks_any_attempt(self) -> bool:
        """Whether earlier attempts count: they failed, so they are not asked for a success."""
        is_success = self.status_class == "2xx" or self.status in range(200, 300)
        return self.any_attempt and bool(self.status_class or self.status) and not is_success


def filtered(query: Select[Any], *, organization_number: int, wanted: DeliveryFilter) -> Select[Any]:
    """Add the conditions of a filter to a query over deliveries; raise Invalid for a value that cannot match."""
    query = query.where(Delivery.organization_number == organization_number)
    return narrowed(query, organization_number=organization_number, wanted=wanted)


def narrowed(query: Select[Any], *, organization_number: int, wanted: DeliveryFilter) -> Select[Any]:
    """Do the same for a query that is bound to the organization otherwise, so that another index can serve it."""
    for column, value in (
        (Delivery.hook_number, wanted.hook_number),
        (Delivery.event_number, wanted.event_number),
        (Delivery.replay_number, wanted.replay_number),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.event_type:
        query = query.where(of_type(Delivery.event_type, wanted.event_type))
    if wanted.states:
        query = query.where(in_states(wanted.states))
    query = query.where(*_answered(wanted))
    if wanted.since:
        query = query.where(Delivery.created_at >= wanted.since)
    if wanted.until:
        query = query.where(Delivery.created_at < wanted.until)
    if wanted.q:
        query = query.where(_mentioning(wanted.q, organization_number))
    return query


def _part_of_class(status_class: str) -> str:
    return {FAILED: ",", NO_STATUS: f",{NO_STATUS},"}.get(status_class, f",{status_class[0]}")


def parts_asked_for(wanted: DeliveryFilter) -> list[str]:
    """Return the texts that ``bad_answers`` must contain, where any attempt counts."""
    parts = [_part_of_class(wanted.status_class)] if wanted.status_class else []
    return parts if wanted.status is None else [*parts, f",{wanted.status},"]


def of_type(column: InstrumentedAttribute[str], event_type: str, *, field: str = "event_type") -> ColumnElement[bool]:
    """Match a type, or a wildcard whose last part is ``*``, in *column*; raise Invalid about *field*."""
    try:
        check_pattern(event_type)
    except Refused as error:
        raise Invalid.field(field, error.message, code=error.code) from error
    if not is_pattern(event_type):
        return column == event_type
    if event_type == "*":
        return column.is_not(None)
    head = event_type.removesuffix(".*")
    if not event_type.endswith(".*") or is_pattern(head):
        raise Invalid.field(field, "In a filter only the last part may be *, as in order.*.", code="pattern")
    return starts_with(column, f"{head}.")


def in_states(states: Sequence[DeliveryState]) -> ColumnElement[bool]:
    """Match states, as the index over unfinished rows says it."""
    # The partial index over unfinished rows serves only queries that repeat its condition.
    wanted = Delivery.state.in_(states)
    return wanted if DeliveryState.DELIVERED in states else and_(Delivery.state != DeliveryState.DELIVERED, wanted)


def _answered(wanted: DeliveryFilter) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions on what the receiver answered."""
    if wanted.status_class:
        yield _in_status_class(wanted.status_class, is_any=wanted.asks_any_attempt)
    if wanted.status is not None:
        had = Delivery.bad_answers.contains(f",{wanted.status},")
        yield had if wanted.asks_any_attempt else Delivery.last_status == wanted.status
    if wanted.outcome:
        yield Delivery.last_outcome == wanted.outcome


def _in_status_class(status_class: str, *, is_any: bool) -> ColumnElement[bool]:
    if status_class not in {*STATUS_CLASSES, NO_STATUS, FAILED}:
        choices = ", ".join([*STATUS_CLASSES, NO_STATUS, FAILED])
        raise Invalid.field("status_class", f"Choose one of {choices}.", code="choice")
    if is_any:
        return Delivery.bad_answers.contains(_part_of_class(status_class))
    if status_class == FAILED:
        return Delivery.last_outcome != literal_column("'ok'")
    if status_class == NO_STATUS:
        return and_(Delivery.last_status.is_(None), Delivery.last_outcome.is_not(None))
    low = STATUS_CLASSES[status_class]
    return and_(Delivery.last_status >= low, Delivery.last_status < low + 100)


def _mentioning(words: str, organization_number: int) -> ColumnElement[bool]:
    """Match an id or the start of one, or the object of the event."""
    of_event = select(Event.number).where(Event.organization_number == organization_number)
    span = id_span(words)
    if span is None:
        return Delivery.event_number.in_(of_event.where(Event.object_pk == words))
    low, high = span
    return or_(
        Delivery.id.between(low, high),
        Delivery.event_number.in_(of_event.where(or_(Event.id.between(low, high), Event.object_pk == words))),
    )


def id_span(words: str) -> tuple[UUID, UUID] | None:
    """Give the smallest and largest UUID that start with *words*, dashes or not; None when nothing can."""
    digits = words.strip().lower().replace("-", "")
    if not 1 <= len(digits) <= 32 or any(digit not in "0123456789abcdef" for digit in digits):  # noqa: PLR2004 digits of a UUID
        return None
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
