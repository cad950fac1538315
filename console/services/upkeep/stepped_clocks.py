"""A clock that was ahead and is set back: what it put too far into the future is moved back."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import bindparam, select, text, update

from console.core.retry import RetryPolicy
from console.core.verdicts import LONGEST_RETRY_AFTER_S
from console.models import Delivery, DeliveryState, Hook, HookState, Worker
from console.models.base import Moment
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
