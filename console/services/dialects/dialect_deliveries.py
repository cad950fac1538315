"""Deliveries as a dialect pages through them: those of the hooks that it shows, in any order, with their attempts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    SQLColumnExpression,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
)
from sqlalchemy.orm import contains_eager, joinedload, selectinload

from console.core.errors import NotFound
from console.models import Attempt, Delivery, DeliveryState, Event, Hook
from console.services.work import Work

UNANSWERED = 500
"""The status that stands for an attempt without an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveriesWanted:
    """Which deliveries are wanted, of these hooks; None means any. *object_model* and *event_type* match in any case.

    *created* are conditions on the time, by the name of a comparison: eq, gt, ge, lt, le.
    """

    hook_numbers: Sequence[int]
    number: int | None = None
    delivery_id: UUID | None = None
    status: int | None = None
    is_delivered: bool | None = None
    object_pk: str | None = None
    object_model: str | None = None
    event_type: str | None = None
    created: Mapping[str, datetime] = field(default_factory=dict)


class Order(Enum):
    """By what deliveries may be sorted."""

    NUMBER = "number"
    CREATED_AT = "created_at"
    MODIFIED_AT = "modified_at"
    IS_DELIVERED = "is_delivered"
    ATTEMPTS = "attempts"
    STATUS = "status"


# The last attempt that ended: one that is being made has no outcome yet. Null before the first.
_STATUS = case((Delivery.last_outcome.is_not(None), func.coalesce(Delivery.last_status, UNANSWERED)))
_ORDERS: Mapping[Order, SQLColumnExpression[Any]] = MappingProxyType(
    {
        Order.NUMBER: Delivery.number,
        Order.CREATED_AT: Delivery.created_at,
        Order.MODIFIED_AT: Delivery.modified_at,
        Order.IS_DELIVERED: case((Delivery.state == DeliveryState.DELIVERED, 1), else_=0),
        Order.ATTEMPTS: Delivery.attempt_count - case((Delivery.state == DeliveryState.SENDING, 1), else_=0),
        Order.STATUS: func.coalesce(_STATUS, 0),  # where databases sort nulls differs
    }
)


def count(work: Work, *, organization_number: int, wanted: DeliveriesWanted) -> int:
    """Count the deliveries that are wanted."""
    query = select(func.count()).select_from(Delivery).join(Event, Event.number == Delivery.event_number)
    return work.session.scalar(query.where(*_conditions(organization_number, wanted))) or 0


def page(
    work: Work,
    *,
    organization_number: int,
    wanted: DeliveriesWanted,
    orders: Sequence[tuple[Order, bool]],
    offset: int,
    limit: int,
) -> list[Delivery]:
    """Give *limit* deliveries after the first *offset*, with event and hook.

    They are sorted by *orders*, each with whether it descends, and newest first where these leave them equal.
    """
    terms = [_ORDERS[order].desc() if descends else _ORDERS[order].asc() for order, descends in orders]
    query = _whole().where(*_conditions(organization_number, wanted)).order_by(*terms, Delivery.number.desc())
    return list(work.session.scalars(query.offset(offset).limit(limit)))


def get(work: Work, *, organization_number: int, wanted: DeliveriesWanted) -> Delivery:
    """Give the one delivery that is wanted, as it is now, with event and hook; raise NotFound."""
    query = _whole().where(*_conditions(organization_number, wanted)).execution_options(populate_existing=True)
    delivery = work.session.scalar(query)
    if delivery is None:
        raise NotFound("delivery")
    return delivery


def _whole() -> Select[Delivery]:
    return (
        select(Delivery)
        .join(Event, Event.number == Delivery.event_number)
        .options(contains_eager(Delivery.event), joinedload(Delivery.hook).options(selectinload(Hook.secrets)))
    )


def _conditions(organization_number: int, wanted: DeliveriesWanted) -> list[ColumnElement[bool]]:
    # Written into the statement: the number of parameters is limited, that of hooks is not.
    hooks: BindParameter[Any] = bindparam("hooks", wanted.hook_numbers, expanding=True, literal_execute=True)
    exact: dict[Any, Any] = {
        Delivery.number: wanted.number,
        Delivery.id: wanted.delivery_id,
        _STATUS: wanted.status,
        Event.object_pk: wanted.object_pk,
    }
    conditions = [Delivery.organization_number == organization_number, Delivery.hook_number.in_(hooks)]
    conditions += [column == value for column, value in exact.items() if value is not None]
    if wanted.is_delivered is not None:
        is_delivered = Delivery.state == DeliveryState.DELIVERED
        conditions.append(is_delivered if wanted.is_delivered else ~is_delivered)
    if wanted.object_model is not None:
        model = wanted.object_model.lower()
        # SQLite knows the lower case of ASCII alone.
        conditions.append(or_(func.lower(Event.object_model) == model, Event.object_model == model))
    if wanted.event_type is not None:
        conditions.append(func.lower(Delivery.event_type) == wanted.event_type.lower())
    conditions += [getattr(Delivery.created_at, f"__{name}__")(moment) for name, moment in wanted.created.items()]
    return conditions


# --- attempts -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Last:
    """How the last attempt that ended did: *error* is a sentence, *body* at most 64 KiB as they came."""

    outcome: str
    status: int | None
    error: str | None
    headers: Sequence[Sequence[str]]
    body: bytes


@dataclass(frozen=True, slots=True)
class History:
    """The attempts of a delivery that ended: when each began, newest first."""

    started_at: tuple[datetime, ...] = ()
    last: Last | None = None


def histories(work: Work, *, numbers: Sequence[int]) -> dict[int, History]:
    """Give what was attempted for deliveries; nothing of those without an ended attempt."""
    started: dict[int, list[datetime]] = defaultdict(list)
    newest: dict[int, int] = {}
    ended = and_(Attempt.delivery_number.in_(numbers), Attempt.outcome.is_not(None))
    rows = work.session.execute(
        select(Attempt.delivery_number, Attempt.number, Attempt.started_at).where(ended).order_by(Attempt.number.desc())
    )
    for row in rows:
        started[row.delivery_number].append(row.started_at)
        newest.setdefault(row.delivery_number, row.number)
    lasts = _lasts(work, newest)
    return {number: History(tuple(moments), lasts.get(number)) for number, moments in started.items()}


def _lasts(work: Work, newest: Mapping[int, int]) -> dict[int, Last]:
    """Read the answers of these attempts alone, since they may be large: *newest* is delivery number → attempt."""
    if not newest:
        return {}
    chosen = or_(*(and_(Attempt.delivery_number == one, Attempt.number == last) for one, last in newest.items()))
    rows = work.session.execute(
        select(
            Attempt.delivery_number,
            Attempt.outcome,
            Attempt.status,
            Attempt.error,
            Attempt.response_headers,
            Attempt.response_body,
        ).where(chosen)
    )
    return {
        row.delivery_number: Last(
            row.outcome, row.status, row.error, row.response_headers or (), row.response_body or b""
        )
        for row in rows
    }
