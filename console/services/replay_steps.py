"""The steps of replays, taken by whoever comes first: a background worker, or the leader when there is none.

A step feeds each hook's share a little at a time, so that what was published meanwhile never waits long; the rows that
it queues and how far it has come are written in the same transaction. Killed anywhere, it goes on where it was.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Select, case, delete, func, literal_column, select, update
from sqlalchemy.dialects import postgresql, sqlite

from console.core.errors import Busy
from console.core.replays import SMALLEST_WINDOW, next_window
from console.database import dialect_of, is_busy, read_only
from console.models import (
    Attempt,
    Delivery,
    DeliveryState,
    Event,
    Hook,
    HookState,
    Replay,
    ReplayPart,
    ReplayState,
    Trigger,
)
from console.services import deliveries
from console.services.matching import listener
from console.services.publishing import HELD_REASON, KEPT_REASON, delivery_row
from console.services.replay_selection import (
    Scope,
    Share,
    Skip,
    in_a_replay,
    in_scope,
    missed,
    scope_of,
    sendable,
    shares_of,
)
from console.services.work import BACKGROUND, DELIVERIES, Work

UNFINISHED = (ReplayState.PENDING, ReplayState.RUNNING, ReplayState.STOPPING)
FEED_EVERY = timedelta(milliseconds=250)
LOOK_EVERY_S = 1.0
LONGEST_CALM_S = 60.0
"""A replay whose last deliveries wait for a retry is looked at ever more rarely, but at least this often."""
OVERDUE = timedelta(seconds=2)
PARTS_A_STEP = 40
EVENTS_LOOKED_AT = 2_000
TAKEN_BACK = 500
UNSEEN = {"synchronize_session": False}
"""The session holds none of the rows that such a statement changes."""
_log = structlog.get_logger(__name__)


# --- who and when ---------------------------------------------------------------------------------------------------


def tend(work: Work) -> float | None:
    """Take a step of every replay that is due; give the seconds until the next is, None when all are over."""
    with read_only():
        query = select(Replay.number).where(Replay.finished_at.is_(None), Replay.look_at <= work.now())
        numbers = list(work.session.scalars(query.order_by(Replay.look_at)))
        work.session.commit()
    for number in numbers:
        try:
            step(work, number=number)
        except Exception as error:
            work.session.rollback()
            if isinstance(error, Busy) or is_busy(error):
                raise
            _log.exception("a replay failed", replay=number)
            _give_up(work, number=number, error=error)
    with read_only():
        next_at: datetime | None = work.session.scalar(
            select(func.min(Replay.look_at, type_=Replay.look_at.type)).where(Replay.finished_at.is_(None))
        )
        work.session.commit()
    return None if next_at is None else max((next_at - work.now()).total_seconds(), 0.0)


def wake(work: Work) -> None:
    """Ring for replays that are due; take their steps here when nobody has for a while."""
    with read_only():
        query = select(func.min(Replay.look_at, type_=Replay.look_at.type)).where(Replay.finished_at.is_(None))
        next_at: datetime | None = work.session.scalar(query)
        work.session.commit()
    if next_at is None or next_at > work.now():
        return
    work.ring.ring(BACKGROUND)
    if next_at < work.now() - OVERDUE:
        tend(work)


def step(work: Work, *, number: int) -> None:
    """Take a replay one step further."""
    with read_only():
        row = work.session.get(Replay, number, populate_existing=True)
        work.session.commit()
    if row is None:
        return
    if row.state == ReplayState.PENDING:
        _open(work, row)
    elif row.state == ReplayState.RUNNING:
        _run(work, row)
    elif row.state == ReplayState.STOPPING:
        _wind_up(work, row)


def _give_up(work: Work, *, number: int, error: Exception) -> None:
    with work.transaction():
        work.session.execute(
            update(Replay)
            .where(Replay.number == number, Replay.finished_at.is_(None))
            .values(
                state=ReplayState.FAILED,
                finished_at=work.now(),
                error=f"Something unexpected went wrong ({type(error).__name__}); the log of the workers says more.",
            )
        )


def _locked(work: Work, row: Replay, state: ReplayState) -> bool:
    """Read a replay again and keep others out until the transaction ends; False when it is in another state."""
    work.session.refresh(row, with_for_update=True)
    return row.state == state


# --- pending: count ---------------------------------------------------------------------------------------------------


def _open(work: Work, row: Replay) -> None:
    """Count what matches, hook by hook, to the end."""
    scope = scope_of(row)
    with read_only():
        shares, _ = shares_of(work, scope)
        work.session.commit()
    with work.transaction():
        if not _locked(work, row, ReplayState.PENDING):
            return
        work.session.add_all(_part(row, share) for share in shares)
        row.state = ReplayState.RUNNING
        row.started_at = row.look_at = work.now()


def _part(row: Replay, share: Share) -> ReplayPart:
    return ReplayPart(
        replay_number=row.number,
        hook_number=share.hook.number,
        total=share.to_send + share.skipped,
        skips={skip.value: count for skip, count in share.skips.items()},
        skipped=share.skipped,
        delivery_cursor=row.first_delivery - 1,
        event_cursor=row.first_event - 1,
        window=SMALLEST_WINDOW,
        is_fed=not share.to_send,
    )


# --- running: feed --------------------------------------------------------------------------------------------------


def _run(work: Work, row: Replay) -> None:
    scope = scope_of(row)
    with read_only():
        unfed = select(ReplayPart.hook_number).where(
            ReplayPart.replay_number == row.number, ReplayPart.is_fed.is_(False)
        )
        unfed = unfed.order_by(ReplayPart.fed_at.is_not(None), ReplayPart.fed_at, ReplayPart.hook_number)
        hooks = list(work.session.scalars(unfed.limit(PARTS_A_STEP)))
        work.session.commit()
    for number in hooks:
        _feed(work, row, scope, hook_number=number)
    _note(work, row, is_fed=not hooks)


def _feed(work: Work, row: Replay, scope: Scope, *, hook_number: int) -> None:
    """Queue as much for one hook as may be due there, and move its cursors, in one transaction."""
    lane = ""
    with work.transaction():
        if not _locked(work, row, ReplayState.RUNNING):
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
        if room > 0:
            _fill(work, row, scope, part=part, hook=hook, room=room)
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


def _fill(work: Work, row: Replay, scope: Scope, *, part: ReplayPart, hook: Hook, room: int) -> None:
    found = in_scope(select(Delivery.number), scope).where(
        Delivery.hook_number == hook.number,
        Delivery.number > part.delivery_cursor,
        sendable(scope.which),
        ~in_a_replay(scope),
    )
    numbers = list(work.session.scalars(found.order_by(Delivery.number).limit(room).with_for_update(of=Delivery)))
    if numbers:
        part.delivery_cursor = numbers[-1]
        part.queued += deliveries.begin_chains(
            work,
            numbers,
            organization_number=row.organization_number,
            trigger=Trigger.REPLAY,
            triggered_by=row.author_number,
            replay_number=row.number,
            state_before=Delivery.state,
        )
    has_more = len(numbers) == room
    if not has_more and scope.covers_missing:
        has_more = _make_missing(work, row, scope, part=part, hook=hook, room=room - len(numbers))
    if not has_more:
        _close(part, Skip.CHANGED)


def _make_missing(work: Work, row: Replay, scope: Scope, *, part: ReplayPart, hook: Hook, room: int) -> bool:
    """Make deliveries of events that the hook has missed; True when there may be more."""
    target = listener(hook)
    found, part.event_cursor, has_more = missed(
        work, scope, target, after=part.event_cursor, look_at=EVENTS_LOOKED_AT, limit=room
    )
    # What retention is deleting at this moment is not made a delivery of.
    living = select(Event.number).where(Event.number.in_([number for number, _ in found])).order_by(Event.number)
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
        for number, name in found
        if number in kept
    ]
    if rows:
        kind = sqlite if dialect_of(work.session) == "sqlite" else postgresql
        insert = kind.insert(Delivery).on_conflict_do_nothing().returning(Delivery.event_number)
        made = list(work.session.scalars(insert, rows))
        part.queued += len(made)
        work.session.execute(
            update(Event).where(Event.number.in_(made)).values(delivery_count=Event.delivery_count + 1),
            execution_options=UNSEEN,
        )
    return has_more


def _close(part: ReplayPart, skip: Skip) -> None:
    """Note that all of a part was walked; what was not queued after all is left out because of *skip*."""
    part.is_fed = True
    lost = part.total - part.skipped - part.queued
    if lost > 0:
        part.skips = {**part.skips, skip.value: int(part.skips.get(skip.value, 0)) + lost}
        part.skipped += lost
    else:
        part.total -= lost  # more failed since it was counted


# --- counting what came of it -----------------------------------------------------------------------------------------


def _note(work: Work, row: Replay, *, is_fed: bool) -> None:
    """Write down what became of the deliveries so far; when nothing is to come, the replay is over.

    *is_fed*: everything was queued before this step.
    """
    with read_only():
        counts = _counts(work, row)
    with work.transaction():
        if not _locked(work, row, ReplayState.RUNNING):
            return
        ended = _write_counts(work, row, counts)
        now = work.now()
        if row.tallied_at is not None and now > row.tallied_at:
            speed = ended / (now - row.tallied_at).total_seconds()
            row.per_second = speed if row.per_second is None else (row.per_second + speed) / 2
        row.tallied_at = now
        is_moving = any(_moving(states) for states in counts.values())
        if is_fed and not is_moving:
            row.state, row.finished_at, row.per_second = ReplayState.DONE, now, None
        elif not is_fed:
            row.look_at, row.calm_s = now + FEED_EVERY, 0.0
        else:
            row.calm_s = LOOK_EVERY_S if ended else min(max(2 * row.calm_s, LOOK_EVERY_S), LONGEST_CALM_S)
            row.look_at = now + timedelta(seconds=row.calm_s)


def _counts(work: Work, row: Replay) -> dict[int, dict[str, int]]:
    """Count the deliveries of a replay by hook and state: an index alone can tell."""
    found: dict[int, dict[str, int]] = defaultdict(dict)
    rows = work.session.execute(
        select(Delivery.hook_number, Delivery.state, func.count())
        .where(Delivery.replay_number == row.number)
        .group_by(Delivery.hook_number, Delivery.state)
    )
    for hook_number, state, count in rows:
        found[hook_number][state] = count
    return found


def _moving(states: dict[str, int]) -> int:
    return states.get(DeliveryState.PENDING, 0) + states.get(DeliveryState.SENDING, 0)


def _write_counts(work: Work, row: Replay, counts: dict[int, dict[str, int]]) -> int:
    """Write the counts into the parts, inside the caller's transaction; give how many more have ended."""
    ended = 0
    query = select(ReplayPart).where(ReplayPart.replay_number == row.number, ReplayPart.hook_number.in_(counts))
    for part in work.session.scalars(query, execution_options={"populate_existing": True}):
        states = counts[part.hook_number]
        before = part.delivered + part.failed + part.canceled
        part.delivered = states.get(DeliveryState.DELIVERED, 0)
        part.failed = states.get(DeliveryState.FAILED, 0)
        part.canceled = states.get(DeliveryState.CANCELED, 0)
        ended += part.delivered + part.failed + part.canceled - before
    return ended


# --- stopping: take back ----------------------------------------------------------------------------------------------


def _wind_up(work: Work, row: Replay) -> None:
    with work.transaction():
        if _locked(work, row, ReplayState.STOPPING):
            wind_up(work, row)


def wind_up(work: Work, row: Replay) -> None:
    """Take back what waits, inside the caller's transaction; with nothing in flight any more the replay is stopped."""
    has_more = _take_back(work, row)
    counts = _counts(work, row)
    _write_counts(work, row, counts)
    now = work.now()
    if has_more or any(states.get(DeliveryState.SENDING) for states in counts.values()):
        row.look_at = now + FEED_EVERY
    else:
        row.state, row.finished_at, row.per_second = ReplayState.STOPPED, now, None


def _take_back(work: Work, row: Replay) -> bool:
    """Give up to 500 waiting deliveries of a replay back to what they were, inside the caller's transaction.

    Not sent yet: it is as if the replay had never come to them, and one that it made is gone. Sent and waiting for a
    retry: failed or held as before, otherwise canceled. True when there may be more.
    """
    attempted = (
        select(Attempt.delivery_number)
        .where(Attempt.delivery_number == Delivery.number, Attempt.chain == Delivery.chain)
        .exists()
    )
    query = (
        select(Delivery.number, Delivery.hook_number, Delivery.event_number, Delivery.state_before, attempted)
        .where(
            Delivery.replay_number == row.number,
            Delivery.trigger == Trigger.REPLAY,
            Delivery.state.in_((DeliveryState.PENDING, DeliveryState.HELD)),
        )
        .order_by(Delivery.number)
        .limit(TAKEN_BACK)
        .with_for_update(of=Delivery)
    )
    rows = work.session.execute(query).all()
    sent = [one.number for one in rows if one[-1]]
    unsent = [one for one in rows if not one[-1]]
    _end_retries(work, sent)
    _restore(work, [one.number for one in unsent if one.state_before is not None])
    _unmake(work, [one for one in unsent if one.state_before is None])
    hooks = {one.hook_number for one in unsent}
    parts = select(ReplayPart).where(ReplayPart.replay_number == row.number, ReplayPart.hook_number.in_(hooks))
    for part in work.session.scalars(parts, execution_options={"populate_existing": True}):
        mine = [one for one in unsent if one.hook_number == part.hook_number]
        part.queued -= len(mine)
        back = [one.number for one in mine if one.state_before is not None]
        part.delivery_cursor = min([part.delivery_cursor, *(number - 1 for number in back)])
        events = [one.event_number for one in mine if one.state_before is None]
        part.event_cursor = min([part.event_cursor, *(number - 1 for number in events)])
        part.is_fed = False
    return len(rows) == TAKEN_BACK


def _end_retries(work: Work, numbers: list[int]) -> None:
    now = work.now()
    kept = Delivery.state_before.in_((DeliveryState.FAILED, DeliveryState.HELD))
    is_held = Delivery.state_before == DeliveryState.HELD
    work.session.execute(
        update(Delivery)
        .where(Delivery.number.in_(numbers))
        .values(
            state=case((kept, Delivery.state_before), else_=DeliveryState.CANCELED.value),
            next_attempt_at=None,
            waiting_reason=case((is_held, _held_words()), else_=None),
            finished_at=case((is_held, None), else_=now),
            modified_at=now,
        ),
        execution_options=UNSEEN,
    )


def _restore(work: Work, numbers: list[int]) -> None:
    now = work.now()
    before = Attempt.chain == Delivery.chain - 1
    mine = Attempt.delivery_number == Delivery.number
    failures = select(func.count()).where(mine, before, Attempt.charged).correlate(Delivery).scalar_subquery()
    trigger = (
        select(Attempt.trigger)
        .where(mine)
        .order_by(Attempt.number.desc())
        .limit(1)
        .correlate(Delivery)
        .scalar_subquery()
    )
    is_held = Delivery.state_before == DeliveryState.HELD
    work.session.execute(
        update(Delivery)
        .where(Delivery.number.in_(numbers))
        .values(
            state=Delivery.state_before,
            chain=Delivery.chain - 1,
            chain_failures=failures,
            trigger=func.coalesce(trigger, Trigger.AUTOMATIC.value),
            triggered_by=None,
            next_attempt_at=None,
            waiting_reason=case((is_held, _held_words()), else_=None),
            finished_at=case((is_held, None), else_=now),
            modified_at=now,
            replay_number=None,
            state_before=None,
        ),
        execution_options=UNSEEN,
    )


def _held_words() -> Any:
    """Say why a delivery is held: of an enabled hook it was kept back, else it would be released at once."""
    is_active = select(Hook.is_active).where(Hook.number == Delivery.hook_number).scalar_subquery()
    return case((is_active, KEPT_REASON), else_=HELD_REASON)


def _unmake(work: Work, rows: list[Any]) -> None:
    work.session.execute(
        delete(Delivery).where(Delivery.number.in_([one.number for one in rows])), execution_options=UNSEEN
    )
    for hook_number in {one.hook_number for one in rows}:  # of one hook an event has one delivery
        events = [one.event_number for one in rows if one.hook_number == hook_number]
        work.session.execute(
            update(Event).where(Event.number.in_(events)).values(delivery_count=Event.delivery_count - 1),
            execution_options=UNSEEN,
        )
