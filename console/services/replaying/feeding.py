"""Feeding a replay to one hook, a little at a time.

What may be due at the hook, whoever queued it, bounds what is added: an event published now waits behind no more
than that. Rows and cursors are written in one transaction.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, literal_column, select, update
from sqlalchemy.dialects import postgresql, sqlite

from console.core.replays import next_window
from console.database import dialect_of, read_only
from console.models import Delivery, DeliveryState, Event, Hook, HookState, Replay, ReplayPart, ReplayState, Trigger
from console.services import deliveries
from console.services.matching import listener
from console.services.outbox import delivery_row
from console.services.replaying.missed import Missed, missed
from console.services.replaying.selection import Scope, Skip, in_a_replay, in_scope, sendable
from console.services.work import DELIVERIES, Work

EVENTS_LOOKED_AT = 1_000


def feed(work: Work, row: Replay, scope: Scope, *, hook_number: int) -> None:
    """Queue as much for one hook as may be due there, and move its cursors, in one transaction."""
    lane = ""
    found = _look_ahead(work, row, scope, hook_number=hook_number)
    with work.transaction():
        if not locked(work, row, ReplayState.RUNNING):
            return
        part = work.session.get_one(ReplayPart, (row.number, hook_number), populate_existing=True)
        hook = work.session.get_one(Hook, hook_number, populate_existing=True)
        now = part.fed_at = work.now()
        if part.is_fed:
            return
        if not scope.may_send_to(hook):
            _close(part, Skip.DELETED if hook.deleted_at is not None else Skip.DISABLED)
            return
        left = _due_at(work, hook_number, now=now, most=part.window)
        part.window = next_window(part.window, left=left)
        room = part.window - left
        if room > 0 and part.delivery_cursor < row.last_delivery:
            _fill(work, row, scope, part=part, room=room)
        elif room > 0 and found is not None and found.after == part.event_cursor:
            _make_missing(work, row, part=part, hook=hook, found=found.first(room))
        # Looked at each time: the last delivery may have filled the window just so, or lie behind a resumed replay.
        if part.delivery_cursor >= row.last_delivery and not scope.covers_missing:
            _close(part, Skip.CHANGED)
        lane = work.session.scalar(select(HookState.lane).where(HookState.hook_number == hook_number)) or DELIVERIES
    if lane:
        work.ring.ring(lane)


def _due_at(work: Work, hook_number: int, *, now: datetime, most: int) -> int:
    """Count what is due at a hook, whoever queued it, up to *most*."""
    due: Select[Any] = select(literal_column("1")).where(
        Delivery.hook_number == hook_number,
        Delivery.state == literal_column("'pending'"),
        Delivery.next_attempt_at <= now,
    )
    return work.session.scalar(select(func.count()).select_from(due.limit(most).subquery())) or 0


def _look_ahead(work: Work, row: Replay, scope: Scope, *, hook_number: int) -> Missed | None:
    """Find what a hook has missed once its deliveries are walked: with filters asked, before anything is locked."""
    if not scope.covers_missing:
        return None
    with read_only():
        part = work.session.get_one(ReplayPart, (row.number, hook_number), populate_existing=True)
        if part.delivery_cursor < row.last_delivery:
            return None
        target = listener(work.session.get_one(Hook, hook_number, populate_existing=True))
        return missed(work, scope, target, after=part.event_cursor, look_at=EVENTS_LOOKED_AT)


def _fill(work: Work, row: Replay, scope: Scope, *, part: ReplayPart, room: int) -> None:
    """Queue the next deliveries."""
    found = in_scope(select(Delivery.number), scope).where(
        Delivery.hook_number == part.hook_number,
        Delivery.number > part.delivery_cursor,
        sendable(scope.which),
        ~in_a_replay(scope),
    )
    numbers = list(work.session.scalars(found.order_by(Delivery.number).limit(room).with_for_update(of=Delivery)))
    part.queued += deliveries.begin_chains(
        work,
        numbers,
        organization_number=row.organization_number,
        trigger=Trigger.REPLAY,
        triggered_by=row.author_number,
        replay_number=row.number,
        state_before=Delivery.state,
    )
    part.delivery_cursor = numbers[-1] if len(numbers) == room else row.last_delivery


def _make_missing(work: Work, row: Replay, *, part: ReplayPart, hook: Hook, found: Missed) -> None:
    """Make deliveries of events that the hook has missed."""
    target = listener(hook)
    part.event_cursor = found.last
    if found.refused:
        part.skips = {**part.skips, Skip.FILTERED: int(part.skips.get(Skip.FILTERED, 0)) + len(found.refused)}
        part.skipped += len(found.refused)
    # What retention is deleting at this moment is not made a delivery of.
    living = select(Event.number).where(Event.number.in_([number for number, _ in found.rows])).order_by(Event.number)
    kept = set(work.session.scalars(living.with_for_update(read=True, key_share=True)))
    now = work.now()
    marks = {
        "state": DeliveryState.PENDING.value,
        "next_attempt_at": now,
        "waiting_reason": None,
        "trigger": Trigger.REPLAY.value,
        "triggered_by": row.author_number,
        "replay_number": row.number,
    }
    rows = [
        delivery_row(
            work,
            event={"number": number, "type": name, "organization_number": row.organization_number},
            hook=target,
            now=now,
        )
        | marks
        for number, name in found.rows
        if number in kept
    ]
    if rows:
        kind = sqlite if dialect_of(work.session) == "sqlite" else postgresql
        insert = kind.insert(Delivery).on_conflict_do_nothing().returning(Delivery.event_number)
        made = list(work.session.scalars(insert, rows))
        part.queued += len(made)
        work.session.execute(
            update(Event).where(Event.number.in_(made)).values(delivery_count=Event.delivery_count + 1),
            execution_options={"synchronize_session": False},
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
