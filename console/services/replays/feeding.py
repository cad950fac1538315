"""Feeding a replay to its hooks, a little at a time.

What is due at a hook, whoever queued it, bounds what is added. Looking for more comes first and locks nothing; rows and
cursors are then written in one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, select, text

from console.core.replays import room_of
from console.database import read_only
from console.models import Delivery, DeliveryState, Event, Hook, HookState, Replay, ReplayPart, ReplayState, Trigger
from console.models.base import Moment
from console.services.deliveries import deliveries
from console.services.events import outbox
from console.services.events.matching import listener
from console.services.replays.missed import Missed, missed
from console.services.replays.selection import Scope, Skip, in_a_replay, in_scope, sendable
from console.services.work import DELIVERIES, Work

EVENTS_LOOKED_AT = 1_000
_UNFED = text("""
SELECT p.hook_number,
       (SELECT count(*) FROM (SELECT 1 FROM deliveries AS d
                              WHERE d.hook_number = p.hook_number AND d.state = 'pending' AND d.next_attempt_at <= :now
                              LIMIT 500) AS due) AS due
FROM replay_parts AS p WHERE p.replay_number = :replay AND NOT p.is_fed
ORDER BY p.fed_at IS NOT NULL, p.fed_at, p.hook_number""").bindparams(bindparam("now", type_=Moment()))


def hungry(work: Work, row: Replay) -> tuple[list[tuple[int, int]], bool]:
    """Give the hooks that take more now, longest unfed first, with how much; False: nothing is left to be fed."""
    with read_only():
        parts = work.session.execute(_UNFED, {"now": work.now(), "replay": row.number}).all()
    rooms = ((part.hook_number, room_of(part.due, hooks=len(parts))) for part in parts)
    return [(hook, room) for hook, room in rooms if room], bool(parts)


@dataclass(frozen=True, slots=True)
class _Portion:
    """What is to be queued next for a hook, found from these cursors on: *numbers* of deliveries, or what it missed."""

    delivery_cursor: int
    event_cursor: int
    numbers: Sequence[int] = ()
    missed: Missed | None = None


def feed(work: Work, row: Replay, scope: Scope, *, hook_number: int, room: int) -> None:
    """Queue up to *room* deliveries for one hook and move its cursors."""
    portion = _look(work, row, scope, hook_number=hook_number, room=room)
    with work.transaction():
        if not locked(work, row, ReplayState.RUNNING):
            return
        part = work.session.get_one(ReplayPart, (row.number, hook_number), populate_existing=True)
        hook = work.session.get_one(Hook, hook_number, populate_existing=True)
        if part.is_fed or (part.delivery_cursor, part.event_cursor) != (portion.delivery_cursor, portion.event_cursor):
            return  # somebody else was here meanwhile
        part.fed_at = work.now()
        if not scope.may_send_to(hook):
            _close(part, Skip.DELETED if hook.deleted_at is not None else Skip.DISABLED)
        elif portion.missed is not None:
            _make_missing(work, row, part=part, hook=hook, found=portion.missed)
        else:
            _queue(work, row, scope, part=part, numbers=portion.numbers, is_last=len(portion.numbers) < room)
        lane = work.session.scalar(select(HookState.lane).where(HookState.hook_number == hook_number)) or DELIVERIES
    work.ring.ring(lane)


def _look(work: Work, row: Replay, scope: Scope, *, hook_number: int, room: int) -> _Portion:
    """Find what comes next for a hook: its deliveries, and when they are through, what it has missed."""
    with read_only():
        part = work.session.get_one(ReplayPart, (row.number, hook_number), populate_existing=True)
        at = part.delivery_cursor, part.event_cursor
        if part.delivery_cursor < row.last_delivery:
            query = in_scope(select(Delivery.number), scope, of_hook=hook_number).where(
                Delivery.number > part.delivery_cursor, sendable(scope.which, of_hook=True), ~in_a_replay(scope)
            )
            return _Portion(*at, numbers=work.session.scalars(query.order_by(Delivery.number).limit(room)).all())
        if not scope.covers_missing:  # its last delivery filled the window just so, or lies behind a resumed replay
            return _Portion(*at)
        target = listener(work.session.get_one(Hook, hook_number, populate_existing=True))
        found = missed(work, scope, target, after=part.event_cursor, look_at=EVENTS_LOOKED_AT)
        return _Portion(*at, missed=found.first(room))


def _queue(work: Work, row: Replay, scope: Scope, *, part: ReplayPart, numbers: Sequence[int], is_last: bool) -> None:
    """Begin new chains, but for what changed since it was looked at."""
    part.queued += deliveries.begin_chains(
        work,
        numbers,
        sendable(scope.which),
        ~in_a_replay(scope),
        organization_number=row.organization_number,
        trigger=Trigger.REPLAY,
        triggered_by=row.author_number,
        replay_number=row.number,
        state_before=Delivery.state,
    )
    part.delivery_cursor = row.last_delivery if is_last else numbers[-1]
    if is_last and not scope.covers_missing:
        _close(part, Skip.CHANGED)


def _make_missing(work: Work, row: Replay, *, part: ReplayPart, hook: Hook, found: Missed) -> None:
    """Make deliveries of events that the hook has missed; what publishers were told of these stays as it was."""
    target = listener(hook)
    part.event_cursor = found.last
    if found.refused:
        part.skips = {**part.skips, Skip.FILTERED: int(part.skips.get(Skip.FILTERED, 0)) + len(found.refused)}
        part.skipped += len(found.refused)
    # What retention is deleting at this moment is not made a delivery of.
    living = select(Event.number).where(Event.number.in_([number for number, _ in found.rows])).order_by(Event.number)
    kept = set(work.session.scalars(living.with_for_update(read=True, key_share=True)))
    part.queued += outbox.put(
        work,
        [(number, name, target) for number, name in found.rows if number in kept],
        organization_number=row.organization_number,
        state=DeliveryState.PENDING.value,
        next_attempt_at=work.now(),
        waiting_reason=None,
        trigger=Trigger.REPLAY.value,
        triggered_by=row.author_number,
        replay_number=row.number,
    )
    if not found.has_more:
        _close(part, Skip.CHANGED)


def _close(part: ReplayPart, skip: Skip) -> None:
    """Note that all of a part was walked; what was not queued after all is left out because of *skip*."""
    part.is_fed = True
    lost = part.total - part.skipped - part.queued
    if lost > 0:
        part.skips = {**part.skips, skip.value: int(part.skips.get(skip.value, 0)) + lost}
        part.skipped += lost
    else:
        part.total -= lost  # more failed since it was counted


def locked(work: Work, row: Replay, state: ReplayState) -> bool:
    """Read a replay again and keep others out until the transaction ends; False when it is in another state."""
    work.session.refresh(row, with_for_update=True)
    return row.state == state
