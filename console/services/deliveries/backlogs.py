"""What waits for one hook, all of it at once: counted, sent now, held, released, or given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, func, literal_column, select, update

from console.core.errors import Conflict
from console.core.verdicts import REASONS, Reason
from console.models import Delivery, DeliveryState, Hook, Trigger
from console.services import audit
from console.services.engine import destinations, standing
from console.services.events.outbox import HELD_REASON
from console.services.queries import COUNT_CAP, count_capped
from console.services.work import LANES, Work

WAITING = (DeliveryState.PENDING, DeliveryState.SENDING)
"""What still goes out: an attempt under way may fail, and then the delivery waits again."""

UNNOTICED = timedelta(seconds=10)
"""What was created no longer ago than this is about to be sent: nobody needs to do anything about it."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many deliveries of a hook wait, by state."""

    pending: int
    held: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """Deliveries of a hook that a person can act on at once: *count* of them, none with a number above *up_to*.

    Whoever acts hands both back, so that an act never reaches further than what was shown. Counted no further than
    asked: then *up_to* is None, for all there are.
    """

    count: int = 0
    up_to: int | None = None
    is_noticed: bool = False
    """Whether the oldest of them is older than a healthy hook lets a delivery get."""


def waiting_of(work: Work, hook: Hook) -> Waiting:
    """Count what waits for a hook."""

    def counted(state: DeliveryState) -> int:
        return count_capped(work.session, select(Delivery.number).where(*unfinished_of(hook.number, state)))

    return Waiting(pending=counted(DeliveryState.PENDING), held=counted(DeliveryState.HELD))


def backlog_of(work: Work, hook: Hook, *states: DeliveryState, cap: int | None = COUNT_CAP) -> Backlog:
    """Return the deliveries of a hook in one of *states*, counted no further than *cap*, or all for None."""
    matching = select(Delivery.number).where(*unfinished_of(hook.number, *states)).limit(cap).subquery()
    counts = select(func.count(), func.min(matching.c.number), func.max(matching.c.number)).select_from(matching)
    count, oldest, newest = work.session.execute(counts).one()
    if not count:
        return Backlog()
    created_at = work.session.scalar(select(Delivery.created_at).where(Delivery.number == oldest))
    is_noticed = created_at is not None and created_at < work.now() - UNNOTICED
    return Backlog(count, None if count == cap else newest, is_noticed)


def send_now(work: Work, *, hook: Hook, up_to: int | None = None) -> int:
    """Make the pending deliveries of a hook due now, within their present chains; return how many go out now.

    Those that are being sent already are counted too. *up_to* leaves deliveries with a higher number as they are.
    The pause of an open circuit, its own or its destination's, ends too: one delivery tries the receiver at once, and
    the others follow its success.
    A pause that the receiver asked for, no circuit being open, is kept.
    """
    now = work.now()
    with work.transaction():
        destinations.end_pause(work, organization_number=hook.organization_number, name=hook.destination)
        standing.end_pause(work, hook_number=hook.number)
        sending = select(func.count(Delivery.number)).where(
            *unfinished_of(hook.number, DeliveryState.SENDING), *_bound(up_to)
        )
        count = work.session.scalar(sending) or 0
        result = work.session.execute(
            update(Delivery)
            .where(*unfinished_of(hook.number, DeliveryState.PENDING), *_bound(up_to))
            .values(next_attempt_at=now, waiting_reason=None, modified_at=now)
        )
        count += int(result.rowcount)  # type: ignore[attr-defined]  # CursorResult, as an UPDATE gives
        audit.record_of_hook(work, hook=hook, action="hook.waiting_hurried", changes={"deliveries": [None, count]})
    for lane in LANES[:2]:
        work.ring.ring(lane)
    return count


def cancel(work: Work, *, hook: Hook, states: Sequence[DeliveryState], shown: Backlog) -> int:
    """Cancel the deliveries of a hook in one of *states* that were *shown*; return how many there were.

    Raise Conflict, and cancel none, if more would be canceled than were shown: some that had ended wait again.
    """
    with work.transaction():
        count = cancel_within(work, hook.number, states=states, up_to=shown.up_to)
        if count > shown.count:
            raise Conflict("More deliveries wait now than were shown. None was canceled.", code="backlog_grew")
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


def cancel_within(work: Work, hook_number: int, *, states: Sequence[DeliveryState], up_to: int | None = None) -> int:
    """Cancel the deliveries of a hook in one of *states*, inside the caller's transaction; return how many there were.

    One that is being sent ends delivered or canceled. *up_to* leaves deliveries with a higher number as they are.
    """
    now = work.now()
    matching = (*unfinished_of(hook_number, *states), *_bound(up_to))
    ordered = select(Delivery.number).where(*matching).order_by(Delivery.number)
    numbers = work.session.scalars(ordered.with_for_update()).all()  # in the order in which workers lock them
    work.session.execute(
        update(Delivery).where(*matching, Delivery.state == DeliveryState.SENDING).values(cancel_requested=True)
    )
    work.session.execute(
        update(Delivery)
        .where(*matching, Delivery.state != DeliveryState.SENDING)
        .values(
            state=DeliveryState.CANCELED, waiting_reason=None, next_attempt_at=None, finished_at=now, modified_at=now
        )
    )
    return len(numbers)


def _bound(up_to: int | None) -> tuple[ColumnElement[bool], ...]:
    return () if up_to is None else (Delivery.number <= up_to,)


def forget_retry_after(work: Work, hook_number: int) -> None:
    """Make due now what a receiver asked to wait for, inside the caller's transaction: it was another receiver."""
    asked_to_wait = Delivery.waiting_reason == REASONS[Reason.RETRY_AFTER]
    work.session.execute(
        update(Delivery)
        .where(*unfinished_of(hook_number, DeliveryState.PENDING), asked_to_wait)
        .values(next_attempt_at=work.now(), waiting_reason=None)
    )
