"""Deliveries: the log with its filters, resend, cancel, send now. Sending itself is the engine's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import joinedload, selectinload
from sqlalchemy.sql.base import ExecutableOption

from console.core.bodies import DisplayBody, display_body
from console.core.envelopes import Body
from console.core.errors import Conflict, Invalid, NotFound
from console.core.retry_reading import read_stored
from console.models import Attempt, Delivery, DeliveryState, Event, Hook, Trigger
from console.services import audit
from console.services.deliveries import bodies, delivery_walks
from console.services.deliveries.delivery_filters import DeliveryFilter
from console.services.engine import destinations, standing
from console.services.organizations import defaults
from console.services.queries import COUNT_CAP, count_capped
from console.services.work import DELIVERIES, Work

FINAL = frozenset({DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.CANCELED})
MOST_RESENDS = 1000
_COLUMNS = tuple(Delivery.__mapper__.columns.keys())


# --- reading --------------------------------------------------------------------------------------------------------


def get(work: Work, *, organization_number: int, delivery_id: UUID, with_bodies: bool = True) -> Delivery:
    """Give a delivery with its event, hook and attempts; raise NotFound.

    *with_bodies* False leaves the answers' bodies, of up to 64 KiB each, to be read one by one when they are asked for.
    """
    attempts = selectinload(Delivery.attempts)
    query = (
        select(Delivery)
        .where(Delivery.organization_number == organization_number, Delivery.id == delivery_id)
        .options(joinedload(Delivery.event), joinedload(Delivery.hook))
        .options(attempts if with_bodies else attempts.defer(Attempt.response_body))
        .execution_options(populate_existing=True)
    )
    delivery = work.session.scalar(query)
    if delivery is None:
        raise NotFound("delivery")
    return delivery


def find(
    work: Work,
    *,
    organization_number: int,
    wanted: DeliveryFilter,
    before: int | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[Delivery]:
    """List deliveries, newest first: those with a number below *before*, or the first above *after*.

    Their numbers are looked for first, mostly in an index alone, and no more rows are read than are shown.
    """
    numbers = select(Delivery.number)
    query = delivery_walks.walk(work.session, numbers, organization_number=organization_number, wanted=wanted)
    if after is not None:
        query = query.where(Delivery.number > after).order_by(Delivery.number)
    else:
        query = query if before is None else query.where(Delivery.number < before)
        query = query.order_by(Delivery.number.desc())
    shown = select(query.limit(limit).subquery().c.number)
    rows = select(Delivery).options(*_of_rows()).where(Delivery.number.in_(shown)).order_by(Delivery.number.desc())
    return list(work.session.scalars(rows))


def numbered(work: Work, *, organization_number: int, numbers: Sequence[int]) -> list[Delivery]:
    """Give the deliveries with these numbers, newest first, those that are gone or foreign left out."""
    query = select(Delivery).options(*_of_rows()).order_by(Delivery.number.desc())
    query = query.where(Delivery.organization_number == organization_number, Delivery.number.in_(numbers))
    return list(work.session.scalars(query))


def _of_rows() -> tuple[ExecutableOption, ...]:
    """Load what a row of a list says of the hook and the event."""
    return (
        joinedload(Delivery.hook).load_only(
            Hook.id,
            Hook.name,
            Hook.url,
            Hook.organization_number,
            Hook.is_active,
            Hook.retry,
            Hook.deleted_at,
            Hook.is_trial,
        ),
        joinedload(Delivery.event).load_only(Event.id, Event.type, Event.source, Event.object_pk),
    )


def count(work: Work, *, organization_number: int, wanted: DeliveryFilter, cap: int = COUNT_CAP) -> int:
    """Count the deliveries that a filter lets through, but no further than *cap*."""
    numbers = select(Delivery.number)
    query = delivery_walks.walk(work.session, numbers, organization_number=organization_number, wanted=wanted)
    return count_capped(work.session, query, cap=cap)


def of_disabled_hooks(work: Work, *, organization_number: int, ids: Sequence[UUID]) -> int:
    """Count those of the deliveries with these ids whose hooks are disabled and not deleted."""
    query = (
        select(func.count(Delivery.number))
        .join(Hook, Hook.number == Delivery.hook_number)
        .where(Delivery.organization_number == organization_number, Delivery.id.in_(ids))
        .where(Hook.is_active.is_(False), Hook.deleted_at.is_(None))
    )
    return work.session.scalar(query) or 0


def body_of(delivery: Delivery) -> Body:
    """Build the body that every attempt of a delivery sends."""
    return bodies.build(delivery.event, delivery, organization_slug=delivery.hook.organization.slug)


def response_of(attempt: Attempt) -> DisplayBody:
    """Return the body that came back as text, with a note when it was cut, or when bytes had to be replaced."""
    headers = [(str(name), str(value)) for name, value in attempt.response_headers or ()]
    shown = display_body(headers, attempt.response_body or b"", is_cut=attempt.is_truncated)
    return replace(shown, note=" ".join(filter(None, (attempt.body_note, shown.note))) or None)


# --- changing -------------------------------------------------------------------------------------------------------


def resend(work: Work, *, delivery: Delivery) -> Delivery:
    """Begin a new attempt chain, due now: same body, same webhook-id, a fresh budget; earlier attempts stay.

    Releases a held delivery, also one of a disabled hook. Raise Conflict while it is being sent or when its hook is
    deleted.
    """
    if delivery.hook.deleted_at is not None:
        raise Conflict("The hook of this delivery was deleted; there is nowhere to send it.", code="hook_deleted")
    with work.transaction():
        _lock(work, delivery)
        if not begin_chains(work, [delivery.number], organization_number=delivery.organization_number):
            raise Conflict("This delivery is being sent right now; wait for its outcome.", code="sending")
        note(work, delivery, "delivery.resent")
    work.ring.ring(DELIVERIES)
    return delivery


def _lock(work: Work, delivery: Delivery) -> None:
    """Read a delivery as it is now and keep others from changing it; raise NotFound when it was deleted meanwhile."""
    try:
        work.session.refresh(delivery, _COLUMNS, with_for_update=True)
    except InvalidRequestError as error:
        raise NotFound("delivery") from error


def resend_many(work: Work, *, organization_number: int, ids: Sequence[UUID]) -> int:
    """Resend up to 1,000 deliveries; those being sent, foreign ones and those of deleted hooks are passed over."""
    if len(ids) > MOST_RESENDS:
        raise Invalid.field("ids", f"Choose at most {MOST_RESENDS} deliveries.", code="too_many")
    with work.transaction():
        numbers = list(
            work.session.scalars(
                select(Delivery.number)
                .join(Hook, Hook.number == Delivery.hook_number)
                .where(
                    Delivery.organization_number == organization_number,
                    Delivery.id.in_(ids),
                    Hook.deleted_at.is_(None),
                )
            )
        )
        count = begin_chains(work, numbers, organization_number=organization_number)
        _audit_many(work, "deliveries.resent", organization_number=organization_number, count=count)
    if count:
        work.ring.ring(DELIVERIES)
    return count


def cancelable(work: Work, *, organization_number: int, ids: Sequence[UUID]) -> list[UUID]:
    """Return those of *ids* that cancel_many would cancel now."""
    return list(work.session.scalars(select(Delivery.id).where(*_cancelable(organization_number, ids))))


def _cancelable(organization_number: int, ids: Sequence[UUID]) -> tuple[ColumnElement[bool], ...]:
    return (
        Delivery.organization_number == organization_number,
        Delivery.id.in_(ids),
        Delivery.state.in_((DeliveryState.PENDING, DeliveryState.HELD)),
    )


def cancel_many(work: Work, *, organization_number: int, ids: Sequence[UUID]) -> int:
    """Give up on up to 1,000 deliveries that wait or are held; say how many, others are passed over."""
    if len(ids) > MOST_RESENDS:
        raise Invalid.field("ids", f"Choose at most {MOST_RESENDS} deliveries.", code="too_many")
    now = work.now()
    with work.transaction():
        result = work.session.execute(
            update(Delivery)
            .where(*_cancelable(organization_number, ids))
            .values(
                state=DeliveryState.CANCELED,
                next_attempt_at=None,
                waiting_reason=None,
                finished_at=now,
                modified_at=now,
            )
        )
        count = int(result.rowcount)  # type: ignore[attr-defined]  # CursorResult, as an UPDATE gives
        _audit_many(work, "deliveries.canceled", organization_number=organization_number, count=count)
    return count


def _audit_many(work: Work, action: str, *, organization_number: int, count: int) -> None:
    audit.record(
        work,
        action=action,
        organization_number=organization_number,
        object_type="delivery",
        object_id=None,
        object_name=f"{count} deliveries",
        changes={},
    )


def begin_chains(
    work: Work,
    numbers: Sequence[int],
    *conditions: ColumnElement[bool],
    organization_number: int,
    trigger: Trigger = Trigger.RESEND,
    **others: Any,
) -> int:
    """Begin new chains, due now, for the rows that are not being sent, inside the caller's transaction; give how many.

    *conditions* narrow it further, *others* are further columns to set.
    """
    now = work.now()
    result = work.session.execute(
        update(Delivery)
        .where(
            Delivery.organization_number == organization_number,
            Delivery.number.in_(numbers),
            Delivery.state != DeliveryState.SENDING,
            *conditions,
        )
        .values(
            state=DeliveryState.PENDING,
            chain=Delivery.chain + 1,
            chain_failures=0,
            interrupted=0,
            trigger=trigger,
            next_attempt_at=now,
            expires_at=None,
            waiting_reason=None,
            finished_at=None,
            cancel_requested=False,
            modified_at=now,
            **{"triggered_by": work.actor.user_number, **others},
        )
    )
    return int(result.rowcount)  # type: ignore[attr-defined]  # CursorResult, as an UPDATE gives


def cancel(work: Work, *, delivery: Delivery) -> Delivery:
    """Give up on a delivery that waits; one that is being sent ends delivered or canceled. Raise Conflict if final."""
    now = work.now()
    with work.transaction():
        _lock(work, delivery)
        if delivery.state in FINAL:
            raise Conflict("This delivery has ended already; only a waiting one can be canceled.", code="final")
        if delivery.state == DeliveryState.SENDING:
            delivery.cancel_requested = True
        else:
            delivery.state = DeliveryState.CANCELED
            delivery.next_attempt_at = delivery.waiting_reason = None
            delivery.finished_at = delivery.modified_at = now
        note(work, delivery, "delivery.canceled")
    return delivery


def send_now(work: Work, *, delivery: Delivery) -> Delivery:
    """Make a waiting delivery due now, within its present chain; raise Conflict unless it is pending.

    The pause of an open circuit, of its hook or its destination, ends too: what has been due for longest tries the
    receiver at once.
    """
    hook = delivery.hook
    with work.transaction():
        destinations.end_pause(work, organization_number=hook.organization_number, name=hook.destination)
        standing.end_pause(work, hook_number=delivery.hook_number)
        _lock(work, delivery)
        if delivery.state != DeliveryState.PENDING:
            raise Conflict("Only a waiting delivery can be sent now.", code="not_waiting")
        delivery.next_attempt_at = delivery.modified_at = work.now()
        delivery.waiting_reason = None
        note(work, delivery, "delivery.hurried")
    work.ring.ring(DELIVERIES)
    return delivery


def planned_attempts(work: Work, delivery: Delivery) -> list[datetime]:
    """Say when the attempts that are still to come would be made, the next one first, if all of them failed."""
    if delivery.state != DeliveryState.PENDING or delivery.next_attempt_at is None or delivery.is_test:
        return [delivery.next_attempt_at] if delivery.next_attempt_at else []
    policy, _ = read_stored(delivery.hook.retry, default=defaults.policy_for(work, delivery.hook))
    is_put_off = not policy.is_exact and delivery.trigger not in {Trigger.TEST, Trigger.RESEND}
    rests_until = destinations.rests_until(work, delivery.hook) if is_put_off else None
    moments = [max(delivery.next_attempt_at, rests_until or delivery.next_attempt_at)]
    moment = max(moments[0], work.now())  # what is due and waits is not sent before now
    for delay in policy.planned()[delivery.chain_failures :]:
        moment += timedelta(seconds=delay)
        moments.append(moment)
    return moments


def note(work: Work, delivery: Delivery, action: str) -> None:
    """Write in the audit log what was done to a delivery, inside the caller's transaction."""
    audit.record(
        work,
        action=action,
        organization_number=delivery.organization_number,
        object_type="delivery",
        object_id=str(delivery.id),
        object_name=delivery.event_type,
        changes={},
    )
