"""What waits in an organization: how much, since when, in which lane. Counted by indexes, never by walking the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, func, or_, select

from console.models import Delivery, DeliveryState, Destination, Hook, HookState
from console.services.queries import COUNT_CAP, count_capped
from console.services.work import DELIVERIES, Work

MOST_LOOKED_AT = 500
"""So many of the oldest pending deliveries are looked at for one that is due."""


MOST_FAILED = 300
"""So many of the latest failed deliveries are looked at."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in an organization; *oldest_at* is when the oldest pending delivery was made."""

    pending: int
    held: int
    oldest_at: datetime | None


def backlog(work: Work, *, organization_number: int) -> Backlog:
    """Count what waits, and find the oldest of it."""
    pending = _unfinished(organization_number, DeliveryState.PENDING)
    return Backlog(
        pending=count_capped(work.session, pending),
        held=count_capped(work.session, _unfinished(organization_number, DeliveryState.HELD)),
        oldest_at=work.session.scalar(
            pending.with_only_columns(Delivery.created_at).order_by(Delivery.number).limit(1)
        ),
    )


def _unfinished(organization_number: int, state: DeliveryState) -> Select[Any]:
    # The partial index over unfinished rows serves only queries that repeat its condition.
    return select(Delivery.number).where(
        Delivery.organization_number == organization_number,
        Delivery.state != DeliveryState.DELIVERED,
        Delivery.state == state,
    )


def oldest_due(work: Work, *, organization_number: int, before: datetime) -> datetime | None:
    """Say when the longest due of the pending deliveries fell due, if before *before*; hooks that rest are passed over.

    Only the oldest of what is pending are looked at, by number, since a backlog can be long.
    """
    oldest = (
        _unfinished(organization_number, DeliveryState.PENDING)
        .with_only_columns(Delivery.hook_number, Delivery.next_attempt_at)
        .order_by(Delivery.number)
        .limit(MOST_LOOKED_AT)
        .subquery()
    )
    is_open = or_(*(moment > work.now() for moment in (HookState.open_until, Destination.open_until)))
    query = (
        select(func.min(oldest.c.next_attempt_at, type_=Delivery.next_attempt_at.type))
        .join(Hook, Hook.number == oldest.c.hook_number)
        .outerjoin(HookState, HookState.hook_number == Hook.number)
        .outerjoin(
            Destination,
            and_(Destination.organization_number == Hook.organization_number, Destination.name == Hook.destination),
        )
        .where(oldest.c.next_attempt_at < before, is_open.is_not(True))
    )
    found: datetime | None = work.session.scalar(query)
    return found


def due_by_lane(work: Work, *, organization_number: int) -> dict[str, int]:
    """Count the deliveries of an organization that could be sent now, by the lane of their hooks; capped."""
    waiting = (
        _unfinished(organization_number, DeliveryState.PENDING)
        .with_only_columns(Delivery.hook_number, Delivery.next_attempt_at)
        .limit(COUNT_CAP)
        .subquery()
    )
    now = work.now()
    lane = func.coalesce(HookState.lane, DELIVERIES)
    may_be_sent = or_(HookState.open_until.is_(None), HookState.open_until <= now)
    rows = work.session.execute(
        select(lane, func.count())
        .select_from(waiting)
        .outerjoin(HookState, HookState.hook_number == waiting.c.hook_number)
        .where(waiting.c.next_attempt_at <= now, may_be_sent)
        .group_by(lane)
    )
    return {name: int(count) for name, count in rows}


def held_by_hook(work: Work, *, organization_number: int, numbers: Sequence[int]) -> dict[int, int]:
    """Count the held deliveries of each of the hooks with these *numbers*."""
    if not numbers:
        return {}
    query = _unfinished(organization_number, DeliveryState.HELD).where(Delivery.hook_number.in_(numbers))
    counted = query.with_only_columns(Delivery.hook_number, func.count()).group_by(Delivery.hook_number)
    counts = {number: int(count) for number, count in work.session.execute(counted)}
    return {number: counts.get(number, 0) for number in numbers}


def failed_by_hook(work: Work, *, organization_number: int, since: datetime) -> tuple[dict[int, int], bool]:
    """Count what failed for good of what was made since then, by hook, tests left out.

    Only the latest failed ones are looked at; say too whether there may be more.
    """
    latest = (
        _unfinished(organization_number, DeliveryState.FAILED)
        .with_only_columns(Delivery.hook_number, Delivery.created_at, Delivery.is_test)
        .order_by(Delivery.number.desc())
        .limit(MOST_FAILED)
        .subquery()
    )
    rows = work.session.execute(
        select(latest.c.hook_number, func.count())
        .where(latest.c.created_at >= since, latest.c.is_test.is_(False))
        .group_by(latest.c.hook_number)
    )
    counts = {number: int(count) for number, count in rows}
    return counts, sum(counts.values()) >= MOST_FAILED
