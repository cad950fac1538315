"""A clock that was ahead and is set back: what it put too far into the future is moved back, and the step is noted."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import bindparam, func, select, text, update
from sqlalchemy.orm import Session

from console.core.retry import RetryPolicy
from console.core.verdicts import LONGEST_RETRY_AFTER_S
from console.database import read_only
from console.models import ClockStep, Delivery, DeliveryState, Event, Hook, HookState, Worker
from console.models.base import Moment
from console.services.deliveries import log_walks
from console.services.deliveries.log_walks import DISORDER, unindexed
from console.services.engine import destinations, due, limits
from console.services.organizations.defaults import policy_of
from console.services.upkeep.beating import DEAD_AFTER
from console.services.work import Work

_log = structlog.get_logger(__name__)

_LATEST = text(f"""{due.WAITING}
SELECT waiting.hook, h.retry, o.retry_schedule, (SELECT d.next_attempt_at FROM deliveries AS d
                               WHERE d.hook_number = waiting.hook AND d.state = 'pending'
                               ORDER BY d.next_attempt_at DESC LIMIT 1) AS latest
FROM waiting JOIN hooks AS h ON h.number = waiting.hook
JOIN organizations AS o ON o.number = h.organization_number""").columns(retry=Hook.retry.type, latest=Moment())  # noqa: S608 a constant


AHEAD_BY = timedelta(seconds=2)
"""What was published so much later than now was published by a clock that was ahead."""


# Never attempted, and planned for a moment that has not come again: no delay keeps it, so it is due.
_AHEAD = text("""
UPDATE deliveries SET next_attempt_at = :now, modified_at = :now
WHERE state = 'pending' AND attempt_count = 0 AND next_attempt_at > :now
  AND event_number IN (SELECT number FROM events WHERE created_at > :ahead)""").bindparams(
    bindparam("now", type_=Moment()), bindparam("ahead", type_=Moment())
)


def clamp(work: Work) -> int:
    """Move attempts that lie beyond any delay their policy knows to where it would put them; give how many.

    They come from a clock that was ahead and has been set back since, as do pauses of hooks and beats of workers that
    lie too far ahead: a worker that died meanwhile would be taken for alive until then. First attempts of what was
    published meanwhile are due now.
    """
    now = work.now()
    moved = 0
    with work.transaction():
        _clamp_pauses(work, now=now)  # first: everybody locks destinations, then standings, then deliveries
        for row in work.session.execute(_LATEST).all():
            bound = now + timedelta(seconds=longest_delay_s(policy_of(work, row.retry, schedule=row.retry_schedule)))
            if row.latest is not None and row.latest > bound:
                result = work.session.execute(
                    update(Delivery)
                    .where(
                        Delivery.hook_number == row.hook,
                        Delivery.state == DeliveryState.PENDING,
                        Delivery.next_attempt_at > bound,
                    )
                    .values(next_attempt_at=bound, modified_at=now)
                )
                moved += int(result.rowcount)  # type: ignore[attr-defined]  # CursorResult
        moved += int(work.session.execute(_AHEAD, {"now": now, "ahead": now + AHEAD_BY}).rowcount)  # type: ignore[attr-defined]  # as above
        work.session.execute(
            update(Worker).where(Worker.stopped_at.is_(None), Worker.beat_at > now + DEAD_AFTER).values(beat_at=now)
        )
    if moved:
        _log.warning("attempts were planned too far ahead and are moved back", deliveries=moved)
    return moved


def note(work: Work) -> int:
    """Note where the log steps back in time, for those who look for a period in it; give how many steps were noted.

    It is seen by events that lie beyond now: not when none was published meanwhile, or nobody leads until then.
    Walks over what was dated ahead and noted, while it lies ahead; usually there is nothing.
    """
    ahead = work.now() + DISORDER / 2
    with read_only():
        step = _unnoted(work.session, ahead=ahead)
        work.session.rollback()
    if step is None:
        return 0
    with work.transaction():
        work.session.add(ClockStep(event_number=step[0], delivery_number=step[1], noted_at=work.now()))
    _log.warning("the clock was set back", last_event=step[0], last_delivery=step[1])
    return 1


def _unnoted(session: Session, *, ahead: datetime) -> tuple[int, int] | None:
    """Give the numbers of the last event and delivery dated later than *ahead* if no step is noted there yet."""
    noted = session.scalar(select(func.max(ClockStep.event_number))) or 0
    latest = session.scalar(
        select(Event.number)
        .where(Event.created_at > ahead, unindexed(Event.number) > noted)
        .order_by(Event.created_at.desc(), Event.number.desc())
        .limit(1)
    )
    if latest is None:
        return None
    # Its first delivery was made with it. Later ones were not, nor were those that replays made of older events.
    served = select(func.max(Delivery.event_number)).where(Delivery.event_number <= latest).scalar_subquery()
    first = session.scalar(select(func.min(unindexed(Delivery.number))).where(Delivery.event_number == served)) or 1
    return _last_ahead(session, Event, ahead, first=latest), _last_ahead(session, Delivery, ahead, first=first)


def _last_ahead(session: Session, model: type[Delivery | Event], ahead: datetime, *, first: int) -> int:
    """Give the number of the last row from *first* on that is dated later than *ahead*, as *first* is."""
    newest = log_walks.newest(session, model)
    return log_walks.turn(session, model, lambda made_at: made_at <= ahead, first=first, last=newest)[0]


def _clamp_pauses(work: Work, *, now: datetime) -> None:
    """Move back the end of pauses that are longer than any can be, inside the caller's transaction."""
    longest = now + timedelta(seconds=LONGEST_RETRY_AFTER_S)
    destinations.clamp(work, longest=longest)
    work.session.execute(update(HookState).where(HookState.open_until > longest).values(open_until=longest))
    limited = (
        select(Hook.number, Hook.rate_limit, HookState.next_send_at)
        .join(HookState, HookState.hook_number == Hook.number)
        .where(HookState.next_send_at > now, Hook.rate_limit.is_not(None))
        .order_by(HookState.hook_number)
    )
    for row in work.session.execute(limited).all():
        bound = now + limits.interval_of(row.rate_limit)
        if row.next_send_at > bound:
            work.session.execute(
                update(HookState).where(HookState.hook_number == row.number).values(next_send_at=bound)
            )


def longest_delay_s(policy: RetryPolicy) -> float:
    """Give the longest time, in seconds, that may lie between two attempts under *policy*, Retry-After included."""
    return max(policy.longest_s(), LONGEST_RETRY_AFTER_S)
