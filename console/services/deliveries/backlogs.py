"""What waits for one hook, all of it at once: counted, sent now, held, released, or given up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, func, literal_column, select, update

from console.models import Delivery, DeliveryState, Hook, Trigger
from console.services import audit
from console.services.engine import destinations, standing
from console.services.events.outbox import HELD_REASON
from console.services.queries import count_capped
from console.services.work import LANES, Work


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many deliveries of a hook wait, by state."""

    pending: int
    held: int


UNDER_WAY = timedelta(seconds=10)
"""What fell due no longer ago than this is about to be sent: nobody needs to do anything about it."""


def waiting_of(work: Work, hook: Hook, *, with_due: bool = True) -> Waiting:
    """Count what waits for a hook; without *with_due* no pending deliveries that have just fallen due."""

    def counted(state: DeliveryState) -> int:
        return count_capped(
            work.session,
            select(Delivery.number).where(
                Delivery.organization_number == hook.organization_number,
                Delivery.state != DeliveryState.DELIVERED,
                Delivery.state == state,
                Delivery.hook_number == hook.number,
            ),
        )

    pending = counted(DeliveryState.PENDING)
    if pending and not with_due:
        pending = max(pending - _under_way(work, hook), 0)
    return Waiting(pending=pending, held=counted(DeliveryState.HELD))


def _under_way(work: Work, hook: Hook) -> int:
    now = work.now()
    just_due = select(Delivery.number).where(
        Delivery.hook_number == hook.number,
        Delivery.state == literal_column("'pending'"),  # as the partial index over what is due says it
        Delivery.next_attempt_at.between(now - UNDER_WAY, now),
    )
    return count_capped(work.session, just_due)


def send_now(work: Work, *, hook: Hook) -> int:
    """Make every pending delivery of a hook due now, within its present chain; say how many there were.

    The pause of an open circuit, its own or its destination's, ends too: one delivery tries the receiver at once, and
    the others follow its success.
    A pause that the receiver asked for, no circuit being open, is kept.
    """
    now = work.now()
    with work.transaction():
        destinations.end_pause(work, organization_number=hook.organization_number, name=hook.destination)
        standing.end_pause(work, hook_number=hook.number)
        result = work.session.execute(
            update(Delivery)
            .where(Delivery.hook_number == hook.number, Delivery.state == DeliveryState.PENDING)
            .values(next_attempt_at=now, waiting_reason=None, modified_at=now)
        )
        count = int(result.rowcount)  # type: ignore[attr-defined]  # CursorResult, as an UPDATE gives
        audit.record_of_hook(work, hook=hook, action="hook.waiting_hurried", changes={"deliveries": [None, count]})
    for lane in LANES[:2]:
        work.ring.ring(lane)
    return count


def cancel(work: Work, *, hook: Hook) -> int:
    """Give up on every pending delivery of a hook; say how many there were. What is held stays."""
    with work.transaction():
        pending = (Delivery.hook_number == hook.number, Delivery.state == DeliveryState.PENDING)
        count = work.session.scalar(select(func.count()).select_from(Delivery).where(*pending)) or 0
        cancel_within(work, hook.number, states=[DeliveryState.PENDING])
        audit.record_of_hook(work, hook=hook, action="hook.waiting_canceled", changes={"deliveries": [None, count]})
    return count


def unfinished_of(hook_number: int, *states: DeliveryState) -> tuple[ColumnElement[bool], ...]:
    """Match the deliveries of a hook in one of *states*, none of them delivered, by the index over unfinished rows.

    By the hook's number alone SQLite would walk all that was ever delivered to it, with the write lock taken.
    """
    organization = select(Hook.organization_number).where(Hook.number == hook_number).scalar_subquery()
    return (
        Delivery.organization_number == organization,
        Delivery.state != literal_column("'delivered'"),
        Delivery.state.in_(states),
        Delivery.hook_number == hook_number,
    )


def hold(work: Work, hook_number: int) -> int:
    """Hold what waits for a hook by itself, inside the caller's transaction; give how much that is.

    What somebody asked for (a test, a resend, a replay) goes out still.
    """
    result = work.session.execute(
        update(Delivery)
        .where(*unfinished_of(hook_number, DeliveryState.PENDING), Delivery.trigger == Trigger.AUTOMATIC)
        .values(
            state=DeliveryState.HELD,
            waiting_reason=HELD_REASON,
            next_attempt_at=None,
            modified_at=work.now(),
        )
    )
    return int(result.rowcount)  # type: ignore[attr-defined]  # CursorResult, as an UPDATE gives


def release(work: Work, hook_number: int) -> None:
    """Make what is held for a hook due now, inside the caller's transaction."""
    now = work.now()
    work.session.execute(
        update(Delivery)
        .where(*unfinished_of(hook_number, DeliveryState.HELD))
        .values(state=DeliveryState.PENDING, waiting_reason=None, next_attempt_at=now, modified_at=now)
    )


def cancel_within(work: Work, hook_number: int, *, states: list[DeliveryState]) -> None:
    """Cancel what waits for a hook in one of *states*, inside the caller's transaction."""
    now = work.now()
    work.session.execute(
        update(Delivery)
        .where(*unfinished_of(hook_number, *states))
        .values(
            state=DeliveryState.CANCELED, waiting_reason=None, next_attempt_at=None, finished_at=now, modified_at=now
        )
    )
